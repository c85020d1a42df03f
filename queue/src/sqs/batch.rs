//! How messages are put together for one call. Pure: sizes in, ranges out.

use std::ops::Range;

/// Entries of one call (SQS quotas).
const MOST: usize = 10;

/// Ranges that follow one another and hold every message: at most ten each, and together at most [`super::LARGEST`] bytes.
/// A message that is larger stands alone.
pub(super) fn cut(sizes: &[usize]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, size) in sizes.iter().enumerate() {
        if index > start && (index - start == MOST || bytes + size > super::LARGEST) {
            ranges.push(start..index);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    if start < sizes.len() {
        ranges.push(start..sizes.len());
    }
    ranges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sqs::LARGEST;

    #[test]
    fn ten_small_ones_go_together_and_four_of_a_quarter() {
        assert!(cut(&[]).is_empty());
        assert_eq!(cut(&[1; 25]), [0..10, 10..20, 20..25]);
        assert_eq!(cut(&[LARGEST / 4; 6]), [0..4, 4..6]);
        assert_eq!(cut(&[1, LARGEST, 1]), [0..1, 1..2, 2..3]);
    }

    proptest! {
        #[test]
        fn every_message_is_in_one_batch_that_sqs_takes(sizes in prop::collection::vec(1..=LARGEST, 0..60)) {
            let ranges = cut(&sizes);
            let mut next = 0;
            for range in &ranges {
                prop_assert_eq!(range.start, next);
                prop_assert!(range.len() <= MOST && !range.is_empty());
                prop_assert!(sizes[range.clone()].iter().sum::<usize>() <= LARGEST);
                next = range.end;
            }
            prop_assert_eq!(next, sizes.len());
        }
    }
}
