"""The steps of tests/tests/cpython.rs on asyncio: one JSON line for each case.

The loop's clock is simulated, as on the Rust side: its selector's `select` moves it by the timeout,
in whole milliseconds rounded up as epoll's does, so that a run takes no time and is always the same.
With the argument "uvloop" the cases run on uvloop, whose clock cannot be replaced.
"""

import asyncio
import json
import logging
import math
import selectors
import sys

logging.disable(logging.CRITICAL)
NOTHING_TO_COMPARE_WITH = 77


def leave(why):
    print(why, file=sys.stderr)
    raise SystemExit(NOTHING_TO_COMPARE_WITH)


if sys.version_info < (3, 11):
    leave(f"python3 is {sys.version.split()[0]}, and asyncio.Runner came with 3.11")
UVLOOP = sys.argv[1:] == ["uvloop"]
if UVLOOP:
    try:
        import uvloop
    except ImportError:
        leave("python3 cannot import uvloop")


class Selector(selectors.SelectSelector):
    """Moves the clock where a real one would wait."""

    now = 0

    def select(self, timeout=None):
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise SystemExit("the loop waits for ever")
        self.now += math.ceil(round(timeout * 1e9) / 1e6) * 1_000_000
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self.selector = Selector()
        super().__init__(self.selector)
        self._clock_resolution = 1e-9

    def time(self):
        return self.selector.now / 1e9


def make():
    return uvloop.new_event_loop() if UVLOOP else SimulatedLoop()


class Case:
    """A loop, and what happened on it."""

    def __init__(self):
        self.loop = make()
        self.log = []
        self.loop.set_exception_handler(self.handle)

    def tell(self, what):
        self.log.append(what)

    def handle(self, _, context):
        # What Python says of a loop that is dropped with tasks in it has no counterpart in Rust, and
        # some messages go on with the callback's own text.
        message = context["message"]
        if "was destroyed" not in message:
            self.tell("Exception in callback" if message.startswith("Exception in callback") else message)

    def soon(self, name, *then):
        """Schedules a callback that notes `name` and does `then`."""
        return self.loop.call_soon(self.run, name, then)

    def later(self, delay, name, *then):
        return self.loop.call_later(delay, self.run, name, then)

    def run(self, name, then):
        self.tell(name)
        for step in then:
            step()

    def once(self):
        """Exactly one iteration."""
        self.loop.stop()
        self.loop.run_forever()

    def refused(self, call):
        """Notes the sentence of what `call` raises."""
        try:
            call()
        except RuntimeError as error:
            self.tell(str(error))
        else:
            self.tell("no error")

    def complete(self, coroutine):
        return self.loop.run_until_complete(coroutine)


CASES = []


def case(function):
    CASES.append(function)


def timed(function):
    """A case that a slow machine would spoil where the clock is the real one."""
    if not UVLOOP:
        CASES.append(function)


def main():
    for function in CASES:
        it = Case()
        asyncio.set_event_loop(None)
        function(it)
        if not it.loop.is_closed():
            it.loop.close()
        print(json.dumps({"case": function.__name__, "result": [str(n) for n in it.log]}))


# --- Callbacks ---


@case
def soon_is_first_in_first_out(it):
    for n in range(5):
        it.soon(n)
    it.once()


@case
def scheduled_during_an_iteration(it):
    it.soon("a", lambda: it.soon("c", lambda: it.soon("d")))
    it.soon("b")
    for _ in range(3):
        it.once()
        it.tell("|")


@case
def stop_during_an_iteration(it):
    it.soon("a", lambda: it.soon("c"), it.loop.stop)
    it.soon("b")
    it.loop.run_forever()
    it.tell("|")
    it.once()


@case
def stop_before_a_run(it):
    it.soon("a", lambda: it.soon("b", lambda: it.soon("c")))
    it.loop.stop()
    it.loop.run_forever()
    it.tell("|")
    it.once()


@case
def stop_in_the_middle_of_a_batch(it):
    it.soon("a")
    it.soon("b", it.loop.stop)
    it.soon("c", lambda: it.soon("d"))
    it.loop.run_forever()
    it.tell("|")
    it.once()


@case
def stop_twice_in_a_batch(it):
    it.soon("a", it.loop.stop)
    it.soon("b", it.loop.stop, lambda: it.soon("c"))
    it.loop.run_forever()
    it.tell("|")
    it.once()


@case
def work_behind_a_timer_that_stops(it):
    it.later(0.002, "timer", lambda: it.soon("soon"), it.loop.stop)
    it.later(0.002, "timer too")
    it.loop.run_forever()
    it.tell("|")
    it.once()


@case
def later_zero_and_soon(it):
    it.later(0, "later")
    it.soon("soon")
    it.once()
    it.once()


@case
def later_zero_in_a_callback(it):
    it.soon("a", lambda: it.later(0, "later"), lambda: it.soon("soon"))
    it.soon("b")
    for _ in range(3):
        it.once()
        it.tell("|")


@timed
def deadlines_in_order(it):
    for delay in [5, 1, 4, 2, 3]:
        it.later(delay / 1000, delay)
    it.later(0.006, "stop", it.loop.stop)
    it.loop.run_forever()


@case
def two_deadlines_tie(it):
    when = it.loop.time() + 0.002
    for name in ["a", "b"]:
        it.loop.call_at(when, it.run, name, ())
    it.later(0.004, "stop", it.loop.stop)
    it.loop.run_forever()


@case
def cancel_in_the_same_batch(it):
    victims = []
    it.soon("a", lambda: victims[0].cancel())
    victims.append(it.soon("victim"))
    it.soon("b")
    it.once()


@case
def cancel_a_timer_in_its_batch(it):
    victims = []
    it.later(0.002, "a", lambda: victims[0].cancel())
    victims.append(it.later(0.002, "victim"))
    it.later(0.004, "stop", it.loop.stop)
    it.loop.run_forever()


@case
def cancel_after_the_run(it):
    handle = it.soon("a")
    it.once()
    handle.cancel()
    it.once()


@case
def an_error_in_a_callback(it):
    def fail():
        raise ValueError("boom")

    it.soon("a", fail)
    it.soon("b")
    it.once()


@timed
def trampolines(it):
    rounds = [0, 0, 0]

    def bounce(n):
        rounds[n] += 1
        it.loop.call_later(0.5, bounce, n)

    it.loop.call_later(8, it.loop.stop)
    for n in range(3):
        it.loop.call_soon(bounce, n)
    it.loop.run_forever()
    it.tell(rounds)


@timed
def a_trampoline_that_costs(it):
    rounds = [0, 0, 0]

    def bounce(n):
        rounds[n] += 1
        it.loop.selector.now += 50_000
        it.loop.call_later(0.5, bounce, n)

    it.loop.call_later(8, it.loop.stop)
    for n in range(3):
        it.loop.call_soon(bounce, n)
    it.loop.run_forever()
    it.tell(rounds)


@timed
def a_timer_that_is_not_whole_milliseconds(it):
    it.later(0.0013, "timer", lambda: it.tell(it.loop.selector.now), it.loop.stop)
    it.loop.run_forever()


# --- Refusals ---


@case
def run_until_complete_on_a_running_loop(it):
    async def inner():
        pass

    def again():
        coroutine = inner()
        it.refused(lambda: it.complete(coroutine))
        coroutine.close()

    it.soon("a", again)
    it.once()


@case
def run_forever_on_a_running_loop(it):
    it.soon("a", lambda: it.refused(it.loop.run_forever))
    it.once()


@case
def another_loop_is_running(it):
    other = make()
    it.soon("a", lambda: it.refused(other.run_forever))
    it.once()
    other.close()


@case
def stopped_before_the_future_completed(it):
    async def forever():
        await it.loop.create_future()

    coroutine = forever()
    it.soon("a", it.loop.stop)
    it.refused(lambda: it.complete(coroutine))


@case
def close_while_running(it):
    it.soon("a", lambda: it.refused(it.loop.close))
    it.once()


@case
def schedule_on_a_closed_loop(it):
    it.loop.close()
    it.loop.close()
    it.refused(lambda: it.soon("a"))
    it.refused(lambda: it.later(1, "a"))
    it.refused(it.loop.run_forever)


@case
def get_event_loop_with_none(it):
    it.refused(asyncio.get_event_loop)


@case
def runner_inside_a_loop(it):
    async def inner():
        pass

    def run():
        runner = asyncio.Runner(loop_factory=make)
        coroutine = inner()
        it.refused(lambda: runner.run(coroutine))
        coroutine.close()
        runner.close()

    it.soon("a", run)
    it.once()


@case
def runner_after_close(it):
    async def inner():
        pass

    runner = asyncio.Runner(loop_factory=make)
    runner.run(inner())
    runner.close()
    coroutine = inner()
    it.refused(lambda: runner.run(coroutine))
    coroutine.close()


# --- Tasks ---


def spawn(it, coroutine):
    return it.loop.create_task(coroutine)


async def noting(it, name, yields=0):
    it.tell(name)
    for n in range(yields):
        await asyncio.sleep(0)
        it.tell(f"{name}.{n}")


@case
def steps_among_callbacks(it):
    for n in range(3):
        spawn(it, noting(it, f"task {n}"))
        it.soon(f"call {n}")
    it.once()


@case
def chains_of_yields_among_callbacks(it):
    spawn(it, noting(it, "a", 3))
    it.soon("x", lambda: it.soon("y", lambda: it.soon("z")))
    spawn(it, noting(it, "b", 2))
    for _ in range(4):
        it.once()
        it.tell("|")


@case
def a_spawned_task_begins_in_the_next_iteration(it):
    async def outer():
        it.tell("outer")
        spawn(it, noting(it, "inner"))
        it.soon("call")
        it.tell("outer ends")

    spawn(it, outer())
    it.soon("behind")
    it.once()
    it.tell("|")
    it.once()


@case
def wakeups_of_a_future(it):
    future = it.loop.create_future()

    async def wait(name):
        await future
        it.tell(name)

    for name in ["a", "b", "c"]:
        spawn(it, wait(name))
    it.once()
    it.soon("before", lambda: future.set_result(None), lambda: it.soon("after"))
    it.once()
    it.tell("|")
    it.once()


@case
def joining_tasks(it):
    async def main():
        tasks = [spawn(it, noting(it, name, n)) for n, name in [(2, "a"), (0, "b"), (1, "c")]]
        for task in tasks:
            await task
            it.tell("joined")

    it.complete(main())


@case
def who_is_joined_wakes_in_the_next_iteration(it):
    async def main():
        task = spawn(it, noting(it, "task"))
        it.soon("1", lambda: it.soon("2", lambda: it.soon("3")))
        await task
        it.tell("joined")

    it.complete(main())


@case
def gathering_what_is_ready(it):
    async def value(n, yields):
        for _ in range(yields):
            await asyncio.sleep(0)
        it.tell(n)
        return n

    async def main():
        values = await asyncio.gather(*(spawn(it, value(n, 3 - n)) for n in range(3)))
        it.tell(values)

    it.complete(main())


@case
def what_runs_after_main_is_done(it):
    async def main():
        spawn(it, noting(it, "spawned", 3))
        it.soon("called", lambda: it.soon("called later", lambda: it.soon("called last")))
        it.tell("main")

    it.complete(main())
    it.tell("|")
    it.once()


@case
def cancel_before_the_start(it):
    async def body():
        it.tell("body")

    async def main():
        task = spawn(it, body())
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            it.tell("cancelled")

    it.complete(main())


@case
def cancel_after_the_end(it):
    async def main():
        task = spawn(it, noting(it, "body"))
        await asyncio.sleep(0)
        it.tell(task.done())
        task.cancel()
        await task
        it.tell("result")

    it.complete(main())


@timed
def sleepers_among_timers(it):
    async def sleeper(name, delay):
        await asyncio.sleep(delay)
        it.tell(name)

    spawn(it, sleeper("task a", 0.002))
    it.once()
    it.later(0.004, "stop", it.loop.stop)
    it.later(0.001, "timer before")
    it.loop.run_forever()


@timed
def a_sleeper_comes_behind_the_timers_of_its_instant(it):
    when = it.loop.time() + 0.002

    async def sleeper():
        future = it.loop.create_future()
        it.loop.call_at(when, future.set_result, None)
        await future
        it.tell("task")

    spawn(it, sleeper())
    it.once()
    it.loop.call_at(when, it.run, "timer", ())
    it.later(0.004, "stop", it.loop.stop)
    it.loop.run_forever()


@case
def a_sleep_of_zero_is_one_iteration(it):
    async def main():
        it.soon("1", lambda: it.soon("2"))
        await asyncio.sleep(0)
        it.tell("main")
        await asyncio.sleep(0)
        it.tell("main again")

    it.complete(main())


async def with_limit(it, future, limit):
    done, _ = await asyncio.wait({future}, timeout=limit)
    it.tell("value" if done else "elapsed")


@timed
def a_value_at_the_limits_instant(it):
    # Not `wait_for`, which since 3.12 loses a value that comes at the limit's own instant.
    future = it.loop.create_future()
    it.loop.call_later(0.002, future.set_result, None)
    it.complete(with_limit(it, future, 0.002))


@timed
def a_value_behind_the_limits_instant(it):
    future = it.loop.create_future()
    it.loop.call_later(0.003, future.set_result, None)
    it.complete(with_limit(it, future, 0.002))


@case
def an_error_nobody_reads(it):
    async def fail():
        raise ValueError("boom")

    task = spawn(it, fail())
    it.once()
    del task
    it.once()


@case
def an_error_that_is_read(it):
    async def fail():
        raise ValueError("boom")

    async def main():
        try:
            await spawn(it, fail())
        except ValueError as error:
            it.tell(str(error))

    it.complete(main())


main()
