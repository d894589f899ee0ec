//! Medians and percentiles of a few measured values.

/// The value below which `share` (0 to 1) of the values lie. Zero for none.
#[must_use]
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

/// The middle value.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_list() {
        let values = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(median(&values), 3.0);
        assert_eq!((percentile(&values, 0.0), percentile(&values, 1.0)), (1.0, 5.0));
        assert_eq!(median(&[]), 0.0);
    }
}
