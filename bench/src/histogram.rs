//! A histogram of latencies: log-linear buckets, as HdrHistogram has them.
//!
//! Each power of two is cut into [`PARTS`] equal buckets, so that any value is known to better than one per cent
//! and all of `u64` fits into some thousand counters.

/// Buckets of each power of two.
const PARTS: u64 = 1 << PARTS_LOG2;
const PARTS_LOG2: u32 = 7;

/// How often which value was seen.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; bucket(u64::MAX) + 1], count: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        if let Some(seen) = self.buckets.get_mut(bucket(value)) {
            *seen += 1;
        }
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// How many values there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The largest value, exactly.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// A value that `share` (0 to 1) of the values don't exceed: the upper end of its bucket. Zero when there are none.
    #[must_use]
    pub fn percentile(&self, share: f64) -> u64 {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        reached.map_or(0, |index| upper_end(index).min(self.max))
    }
}

/// Values below twice [`PARTS`] have a bucket each; above, the bucket's width doubles with each power of two.
fn bucket(value: u64) -> usize {
    let shift = (value | PARTS).ilog2() - PARTS_LOG2;
    (u64::from(shift) * PARTS + (value >> shift)) as usize
}

/// The largest value of a bucket.
fn upper_end(index: usize) -> u64 {
    let index = index as u64;
    let shift = (index / PARTS).saturating_sub(1);
    let first = (index - shift * PARTS) << shift;
    first + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_in_the_bucket_that_ends_within_a_hundredth_above_it() {
        let powers = (0..64).map(|power| 1_u64 << power);
        for value in powers.flat_map(|power| [power - 1, power, power + power / 3]).chain([u64::MAX]) {
            let end = upper_end(bucket(value));
            assert!(end >= value && end - value <= value / 100, "{value} ends at {end}");
        }
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for index in 0..bucket(u64::MAX) {
            let end = upper_end(index);
            assert_eq!((bucket(end), bucket(end + 1)), (index, index + 1));
        }
        assert_eq!(upper_end(bucket(u64::MAX)), u64::MAX);
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.percentile(0.99), histogram.max()), (0, 0));
        let mut values: Vec<u64> = (0..10_000_u64).map(|index| index * index % 1_000_003).collect();
        values.iter().for_each(|value| histogram.record(*value));
        values.sort_unstable();
        for share in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let place = ((values.len() as f64 * share).ceil() as usize).max(1) - 1;
            let (exact, found) = (values[place], histogram.percentile(share));
            assert!(found >= exact && found - exact <= exact / 100, "{share}: {exact} and {found}");
        }
        assert_eq!((histogram.count(), histogram.percentile(1.0)), (10_000, histogram.max()));
    }
}
