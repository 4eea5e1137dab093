//! Which of the expected commands is which of those that came.
//!
//! Who takes the first that fits may take what only another one fits: so where nothing is left for an expectation, those that
//! took what it could have look for something else. What comes out leaves as few as possible without a partner.

use std::collections::VecDeque;

/// For each of `wanted` expectations its partner among `came` commands. `fits` says whether an expectation is met by a command.
pub(super) fn partners(
    wanted: usize,
    came: usize,
    fits: impl Fn(usize, usize) -> bool,
) -> Vec<Option<usize>> {
    let mut search = Search {
        fits,
        partner: vec![None; wanted],
        taken_by: vec![None; came],
        seen: vec![false; came],
    };
    for expectation in 0..wanted {
        let mut free = (0..came).filter(|command| search.taken_by[*command].is_none());
        match free.find(|command| (search.fits)(expectation, *command)) {
            Some(command) => search.pair(expectation, command),
            None => search.make_room(expectation),
        }
    }
    search.partner
}

struct Search<F> {
    fits: F,
    partner: Vec<Option<usize>>,
    taken_by: Vec<Option<usize>>,
    /// Commands from which no way leads to a free one. Where a search fails that stays so, whatever is paired later.
    seen: Vec<bool>,
}

impl<F: Fn(usize, usize) -> bool> Search<F> {
    fn pair(&mut self, expectation: usize, command: usize) {
        self.partner[expectation] = Some(command);
        self.taken_by[command] = Some(expectation);
    }

    /// Lets others change places until there is one for `expectation`; the shortest chain of them.
    fn make_room(&mut self, expectation: usize) {
        let mut reached_by = vec![None; self.seen.len()];
        let mut queue = VecDeque::from([expectation]);
        while let Some(asking) = queue.pop_front() {
            for command in 0..self.seen.len() {
                if self.seen[command] || !(self.fits)(asking, command) {
                    continue;
                }
                self.seen[command] = true;
                reached_by[command] = Some(asking);
                match self.taken_by[command] {
                    Some(other) => queue.push_back(other),
                    None => {
                        self.move_up(command, &reached_by);
                        self.seen.fill(false);
                        return;
                    }
                }
            }
        }
    }

    /// Each on the way to the free `command` takes what it reached; the one before gets what that leaves.
    fn move_up(&mut self, command: usize, reached_by: &[Option<usize>]) {
        let mut free = Some(command);
        while let Some(command) = free
            && let Some(asking) = reached_by[command]
        {
            free = self.partner[asking];
            self.pair(asking, command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fits: &[&[usize]], came: usize, paired: usize) {
        let found = partners(fits.len(), came, |wanted, command| {
            fits[wanted].contains(&command)
        });
        let mut used: Vec<usize> = found.iter().flatten().copied().collect();
        for (wanted, command) in found.iter().enumerate() {
            assert!(command.is_none_or(|it| fits[wanted].contains(&it)));
        }
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), paired, "{fits:?}: {found:?}");
        assert_eq!(found.iter().flatten().count(), paired, "{fits:?}");
    }

    #[test]
    fn each_finds_a_partner_where_there_is_a_way_to_pair_all() {
        check(&[], 0, 0);
        check(&[&[]], 3, 0);
        check(&[&[0, 1], &[0]], 2, 2);
        // A chain: each must move one on.
        check(&[&[0, 1], &[1, 2], &[2, 3], &[0]], 4, 4);
        check(&[&[0, 1, 2], &[0, 1], &[0, 1], &[2, 3]], 4, 4);
    }

    #[test]
    fn who_finds_none_leaves_the_others_theirs() {
        check(&[&[0], &[0], &[0]], 1, 1);
        check(&[&[0, 1], &[0, 1], &[0, 1], &[2], &[1, 2]], 3, 3);
        check(&[&[1], &[1], &[0, 1], &[0, 2]], 3, 3);
    }
}
