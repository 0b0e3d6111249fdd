//! A 4-ary heap whose entries know their handle, so that cancelling takes O(log n) and leaves
//! nothing behind.

use super::{Queue, Value};

const NIL: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Node {
    deadline: u64,
    sequence: u64,
    handle: u32,
}

struct Handle<T> {
    /// Where the node is; in a vacant handle, the next vacant one.
    position: u32,
    generation: u32,
    value: Option<T>,
}

/// A 4-ary heap of nodes and a slab of handles to them.
pub(super) struct Heap4<T> {
    nodes: Vec<Node>,
    handles: Vec<Handle<T>>,
    vacant: u32,
    sequence: u64,
}

#[derive(Clone, Copy)]
pub(super) struct Key {
    handle: u32,
    generation: u32,
}

impl<T> Default for Heap4<T> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            handles: Vec::new(),
            vacant: NIL,
            sequence: 0,
        }
    }
}

impl Queue for Heap4<Value> {
    type Key = Key;

    fn insert(&mut self, deadline: u64, value: Value) -> Key {
        let handle = self.vacant;
        let (handle, generation) = if handle == NIL {
            self.handles.push(Handle {
                position: 0,
                generation: 0,
                value: Some(value),
            });
            (self.handles.len() as u32 - 1, 0)
        } else {
            let place = &mut self.handles[handle as usize];
            self.vacant = place.position;
            place.value = Some(value);
            (handle, place.generation)
        };
        self.sequence += 1;
        let node = Node {
            deadline,
            sequence: self.sequence,
            handle,
        };
        self.nodes.push(node);
        self.sift_up(self.nodes.len() - 1, node);
        Key { handle, generation }
    }

    fn cancel(&mut self, key: Key) -> Option<Value> {
        let handle = self.handles.get(key.handle as usize)?;
        if handle.generation != key.generation {
            return None;
        }
        let position = handle.position as usize;
        self.remove(position)
    }

    fn next_deadline(&mut self) -> Option<u64> {
        self.nodes.first().map(|node| node.deadline)
    }

    fn pop(&mut self) -> Option<(u64, Value)> {
        let deadline = self.nodes.first()?.deadline;
        self.remove(0).map(|value| (deadline, value))
    }
}

impl<T> Heap4<T> {
    fn remove(&mut self, position: usize) -> Option<T> {
        let removed = self.nodes[position];
        let last = self.nodes.pop()?;
        if position < self.nodes.len() {
            if position > 0 && last.precedes(&self.nodes[(position - 1) / 4]) {
                self.sift_up(position, last);
            } else {
                self.sift_down(position, last);
            }
        }
        let handle = &mut self.handles[removed.handle as usize];
        handle.generation = handle.generation.wrapping_add(1);
        handle.position = self.vacant;
        self.vacant = removed.handle;
        handle.value.take()
    }

    fn sift_up(&mut self, mut position: usize, node: Node) {
        while position > 0 {
            let parent = (position - 1) / 4;
            if !node.precedes(&self.nodes[parent]) {
                break;
            }
            self.place(position, self.nodes[parent]);
            position = parent;
        }
        self.place(position, node);
    }

    fn sift_down(&mut self, mut position: usize, node: Node) {
        loop {
            let first = position * 4 + 1;
            if first >= self.nodes.len() {
                break;
            }
            let last = (first + 4).min(self.nodes.len());
            let mut least = first;
            for child in first + 1..last {
                if self.nodes[child].precedes(&self.nodes[least]) {
                    least = child;
                }
            }
            if !self.nodes[least].precedes(&node) {
                break;
            }
            self.place(position, self.nodes[least]);
            position = least;
        }
        self.place(position, node);
    }

    fn place(&mut self, position: usize, node: Node) {
        self.nodes[position] = node;
        self.handles[node.handle as usize].position = position as u32;
    }
}

impl Node {
    fn precedes(&self, other: &Self) -> bool {
        (self.deadline, self.sequence) < (other.deadline, other.sequence)
    }
}
