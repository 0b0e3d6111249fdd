//! The fate of what is sent through a link.

use std::time::Duration;

use virtual_time::Instant;

use super::flaws::{FULL_QUEUE, Flip};
use super::{LinkId, Links, Passage};
use crate::{Decide, LinkConfig};

/// What becomes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives(Instant),
    Lost,
    /// It waits until every rule that holds it is lifted.
    Held,
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Journey {
    pub(crate) fate: Fate,
    /// When it arrives once more.
    pub(crate) again: Option<Instant>,
    /// The bit of its bytes that flips on the way, however often it arrives.
    pub(crate) flipped: Option<usize>,
}

impl Journey {
    const fn to(fate: Fate) -> Self {
        Self {
            fate,
            again: None,
            flipped: None,
        }
    }
}

impl Links {
    /// When a segment of a stream arrives that carries so many bytes and is sent now.
    pub(crate) fn send(
        &mut self,
        link: LinkId,
        now: Instant,
        bytes: usize,
        decide: &mut dyn Decide,
    ) -> Fate {
        if link == LinkId::LOOPBACK {
            return Fate::Arrives(now);
        }
        let link = &mut self.links[link.0 as usize];
        let mut config = link.config.as_ref().unwrap_or(&self.default);
        if let Some(trouble) = &link.trouble {
            match trouble.pass(&mut self.rules) {
                Passage::Open => {}
                Passage::Held => return Fate::Held,
                Passage::Cut => return Fate::Lost,
            }
            config = trouble.config().unwrap_or(config);
        }
        let left = leave(&mut link.idle_at, config, now, bytes);
        let mut at = left + config.latency.draw(decide);
        if let Some(flaws) = &config.flaws {
            if flaws.loses(self.rules.tally(), decide) {
                return Fate::Lost;
            }
            at += flaws.delay(self.rules.tally(), decide);
        }
        Fate::Arrives(at)
    }

    /// What becomes of a datagram of so many bytes that is sent now.
    pub(crate) fn send_datagram(
        &mut self,
        link: LinkId,
        now: Instant,
        bytes: usize,
        decide: &mut dyn Decide,
    ) -> Journey {
        if link == LinkId::LOOPBACK {
            return Journey::to(Fate::Arrives(now));
        }
        let link = &mut self.links[link.0 as usize];
        let mut config = link.config.as_ref().unwrap_or(&self.default);
        if let Some(trouble) = &link.trouble {
            match trouble.pass(&mut self.rules) {
                Passage::Open => {}
                Passage::Held => return Journey::to(Fate::Held),
                Passage::Cut => return Journey::to(Fate::Lost),
            }
            config = trouble.config().unwrap_or(config);
        }
        let Some(flaws) = &config.flaws else {
            let left = leave(&mut link.idle_at, config, now, bytes);
            return Journey::to(Fate::Arrives(left + config.latency.draw(decide)));
        };
        let tally = self.rules.tally();
        if let (Some(bandwidth), Some(queue)) = (config.bandwidth, flaws.queue) {
            let waiting = bandwidth.bytes_in(link.idle_at - now);
            let full = waiting + config.weight(bytes) as u64 > queue as u64;
            tally.note(FULL_QUEUE, full);
            if full {
                return Journey::to(Fate::Lost);
            }
        }
        let left = leave(&mut link.idle_at, config, now, bytes);
        // All pieces of it must arrive.
        if (0..config.packets(bytes)).any(|_| flaws.loses(tally, decide)) {
            return Journey::to(Fate::Lost);
        }
        let flipped = match flaws.corrupts(bytes, tally, decide) {
            Some(Flip::Noticed) => return Journey::to(Fate::Lost),
            Some(Flip::Bit(bit)) => Some(bit),
            None => None,
        };
        let again = flaws.duplicates(tally, decide);
        let mut arrival = || left + config.latency.draw(decide) + flaws.delay(tally, decide);
        let fate = Fate::Arrives(arrival());
        Journey {
            fate,
            again: again.then(arrival),
            flipped,
        }
    }

    /// What a link does with what has come to its end.
    pub(crate) fn passage(&self, link: LinkId) -> Passage {
        let link = self.links.get(link.0 as usize);
        link.map_or(Passage::Open, super::Link::passage)
    }

    /// What a segment usually takes.
    pub(crate) fn typical(&self, link: LinkId) -> Duration {
        let Some(link) = self.links.get(link.0 as usize) else {
            return Duration::ZERO; // Loopback.
        };
        let degraded = link.trouble.as_ref().and_then(|trouble| trouble.config());
        let config = degraded.or(link.config.as_ref());
        config.unwrap_or(&self.default).latency.typical()
    }

    /// When an acknowledgement that is sent now arrives; `None` if it does not.
    ///
    /// These draw no latency and take no bandwidth: there is one for every segment, and what
    /// they can change, the moment at which a full buffer takes bytes again, already follows
    /// from the segments' draws. They may be lost, where segments are.
    pub(crate) fn acknowledge(
        &mut self,
        link: LinkId,
        now: Instant,
        decide: &mut dyn Decide,
    ) -> Option<Instant> {
        if link == LinkId::LOOPBACK {
            return Some(now);
        }
        let link = &self.links[link.0 as usize];
        let mut config = link.config.as_ref().unwrap_or(&self.default);
        if let Some(trouble) = &link.trouble {
            if trouble.pass(&mut self.rules) != Passage::Open {
                return None;
            }
            config = trouble.config().unwrap_or(config);
        }
        if let Some(flaws) = &config.flaws
            && flaws.loses(self.rules.tally(), decide)
        {
            return None;
        }
        Some(now + config.latency.typical())
    }
}

/// When so many bytes have left that are sent now.
fn leave(idle_at: &mut Instant, config: &LinkConfig, now: Instant, bytes: usize) -> Instant {
    let Some(bandwidth) = config.bandwidth else {
        return now;
    };
    *idle_at = (*idle_at).max(now) + bandwidth.time_for(config.weight(bytes));
    *idle_at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Bandwidth, Corruption, Decide, FaultStats, HostId, Latency, Plain, Probability, Site,
    };

    const MS: Duration = Duration::from_millis(1);

    /// The highest answer at one site, 0 elsewhere.
    struct Most(Site);

    impl Decide for Most {
        fn choose(&mut self, site: Site, n: u64) -> u64 {
            if site == self.0 { n - 1 } else { 0 }
        }
    }

    /// One answer counts; no other may be asked for.
    struct Nobody;

    impl Decide for Nobody {
        fn choose(&mut self, site: Site, _: u64) -> u64 {
            panic!("nothing to decide at {}", site.label)
        }
    }

    fn link(config: LinkConfig) -> (Links, LinkId) {
        let mut links = Links::default();
        links.set_default(config);
        let id = links.between(HostId(0), HostId(1));
        (links, id)
    }

    fn one_in(n: u32) -> Probability {
        Probability::ratio(1, n).unwrap()
    }

    fn plain() -> LinkConfig {
        LinkConfig::new(Latency::constant(MS))
    }

    fn at(ms: u32) -> Instant {
        Instant::BEGIN + MS * ms
    }

    fn stats(links: &mut Links, name: &str) -> FaultStats {
        let all = links.rules.tally().clone().into_vec();
        let found = all.iter().find(|(of, _)| *of == name);
        found.map_or_else(FaultStats::default, |(_, stats)| *stats)
    }

    #[test]
    fn a_link_without_flaws_or_with_impossible_ones_asks_for_nothing() {
        let impossible = plain()
            .with_loss(Probability::NEVER)
            .with_duplication(Probability::NEVER)
            .with_reordering(Probability::NEVER, MS)
            .with_corruption(Probability::NEVER, Corruption::Delivered)
            .with_jitter(Duration::ZERO);
        for config in [plain(), impossible] {
            let (mut links, id) = link(config);
            let sent = links.send_datagram(id, at(0), 10, &mut Nobody);
            assert_eq!(sent, Journey::to(Fate::Arrives(at(1))));
            assert_eq!(links.send(id, at(0), 10, &mut Nobody), Fate::Arrives(at(1)));
            assert_eq!(links.rules().stats(), []);
        }
    }

    #[test]
    fn each_flaw_strikes_where_its_choice_says_and_is_counted() {
        let p = one_in(10);
        let config = plain()
            .with_loss(p)
            .with_duplication(p)
            .with_reordering(p, 7 * MS)
            .with_corruption(p, Corruption::Delivered)
            .with_jitter(3 * MS);
        let (mut links, id) = link(config);
        let mut send = |site| links.send_datagram(id, at(0), 2, &mut Most(site));
        let usual = Journey::to(Fate::Arrives(at(1)));
        assert_eq!(send(Site::LATENCY), usual);
        assert_eq!(send(Site::LOSS), Journey::to(Fate::Lost));
        assert_eq!(send(Site::DUPLICATION).again, Some(at(1)));
        assert_eq!(send(Site::REORDERING).fate, Fate::Arrives(at(8)));
        assert_eq!(send(Site::JITTER).fate, Fate::Arrives(at(4)));
        assert_eq!(send(Site::CORRUPTION).flipped, Some(0));
        let loss = stats(&mut links, "loss");
        assert_eq!((loss.asked, loss.eligible, loss.applied), (1, 6, 1));
        assert_eq!(stats(&mut links, "corruption").applied, 1);
        assert_eq!(stats(&mut links, "duplication").applied, 1);
        assert_eq!(stats(&mut links, "reordering").applied, 1);
    }

    #[test]
    fn a_corrupted_datagram_is_dropped_by_its_checksum_unless_that_misses() {
        let corrupt = |then| plain().with_corruption(Probability::ALWAYS, then);
        let (mut links, id) = link(corrupt(Corruption::Dropped));
        let sent = links.send_datagram(id, at(0), 10, &mut Nobody);
        assert_eq!(sent, Journey::to(Fate::Lost));
        let (mut links, id) = link(corrupt(Corruption::Delivered));
        let sent = links.send_datagram(id, at(0), 10, &mut Most(Site::CORRUPT_BIT));
        assert_eq!(sent.flipped, Some(79));
        let empty = links.send_datagram(id, at(0), 0, &mut Nobody);
        assert_eq!(empty.fate, Fate::Lost, "its header broke");
    }

    #[test]
    fn every_piece_of_a_long_datagram_must_arrive() {
        let config = plain().with_mtu(1_500).unwrap().with_loss(one_in(2));
        let (mut links, id) = link(config);
        assert_eq!(
            links.send_datagram(id, at(0), 3_000, &mut Plain).again,
            None
        );
        assert_eq!(stats(&mut links, "loss").eligible, 3);
    }

    #[test]
    fn a_full_queue_drops_datagrams_and_lets_streams_wait() {
        let narrow = plain().with_bandwidth(Bandwidth::from_bytes(1_000_000));
        let (mut links, id) = link(narrow.with_queue(2_000));
        let mut fate = |now| links.send_datagram(id, now, 960, &mut Nobody).fate;
        assert_eq!(fate(at(0)), Fate::Arrives(at(2)));
        assert_eq!(fate(at(0)), Fate::Arrives(at(3)));
        assert_eq!(fate(at(0)), Fate::Lost, "2,000 bytes wait");
        assert_eq!(fate(at(1)), Fate::Arrives(at(4)));
        assert_eq!(
            links.send(id, at(1), 960, &mut Nobody),
            Fate::Arrives(at(5))
        );
        let full = stats(&mut links, "full queue");
        assert_eq!((full.asked, full.eligible, full.applied), (1, 4, 1));
    }
}
