//! The steps of the search for parents. Only tests count them.

/// Counts one step.
#[cfg(not(test))]
pub(super) fn count() {}

#[cfg(test)]
pub(super) use tests::count;

#[cfg(test)]
mod tests {
    use crate::index::Index;
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    pub(in crate::index) fn count() {
        STEPS.set(STEPS.get() + 1);
    }

    #[test]
    fn the_parents_of_a_hundred_thousand_nested_prefixes_are_found_in_a_few_steps_each() {
        // Every name is a prefix of the next: the worst case for finding parents.
        let mut text = "/ 0 40755 1 0 0 0 0.0 - - -\n".to_owned();
        for top in 0..400 {
            for length in 1..=250 {
                text += &format!("/{top:04}{} 0 40755 1 0 0 0 0.0 - - -\n", "a".repeat(length));
            }
        }
        STEPS.set(0);
        assert_eq!(Index::parse(text.into()).expect("good").len(), 100_001);
        // One for each prefix that is no longer one, and at most nine for a search among 251.
        let steps = STEPS.get();
        assert!((100_000..=10 * 100_001).contains(&steps), "{steps} steps");
    }
}
