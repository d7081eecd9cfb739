//! A value with its recent past: the management API sees what is, the token
//! endpoint what was one lag ago. Without a lag nothing is kept.

/// A value whose older versions are still known for a while.
#[derive(Debug)]
pub(crate) struct Lagged<T> {
    current: T,
    created: u64,
    /// (the moment it was replaced, what it was)
    past: Vec<(u64, T)>,
}

impl<T: Clone> Lagged<T> {
    /// A value that came to be at `now`.
    pub(crate) fn new(value: T, now: u64) -> Self {
        Self {
            current: value,
            created: now,
            past: Vec::new(),
        }
    }

    /// What is.
    pub(crate) fn get(&self) -> &T {
        &self.current
    }

    /// Changes it, and remembers what it was for as long as `lag`.
    pub(crate) fn edit(&mut self, now: u64, lag: u64) -> &mut T {
        self.past.retain(|(until, _)| until + lag > now);
        if lag > 0 {
            self.past.push((now, self.current.clone()));
        }
        &mut self.current
    }

    /// What somebody sees who is `lag` behind; None while it was not yet there.
    pub(crate) fn seen(&self, now: u64, lag: u64) -> Option<&T> {
        if lag == 0 {
            return Some(&self.current);
        }
        let then = now.saturating_sub(lag);
        if self.created > then {
            return None;
        }
        let old = self.past.iter().find(|(until, _)| *until > then);
        Some(old.map_or(&self.current, |(_, value)| value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_seen_for_one_lag() {
        let mut value = Lagged::new("a", 1000);
        assert_eq!(value.seen(1500, 1000), None);
        *value.edit(5000, 1000) = "b";
        assert_eq!(value.seen(5500, 1000), Some(&"a"));
        assert_eq!(value.seen(6001, 1000), Some(&"b"));
        assert_eq!(value.seen(5500, 0), Some(&"b"));
        assert_eq!(*value.get(), "b");
    }
}
