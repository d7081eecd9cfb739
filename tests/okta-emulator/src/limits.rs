//! Rate limits: fixed windows of a minute on the emulator's clock, one bucket
//! per group of routes, a share per principal, and a cap on concurrent calls.
//! Told the time, so that a simulation can count as the emulator does without
//! HTTP.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Requests per minute for each bucket, and what else is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// `/api/v1/apps`: create, list and every sub-resource of an app.
    pub apps: u32,
    /// `/api/v1/apps/{appId}` exactly.
    pub app: u32,
    /// The rest of `/api/v1`, authorization servers included.
    pub other: u32,
    /// `/oauth2/v1/clients`.
    pub clients: u32,
    /// `/api/v1/logs`.
    pub logs: u32,
    /// All custom token endpoints together.
    pub token: u32,
    /// `/oauth2/v1/token`.
    pub org_token: u32,
    /// What one principal may take of a bucket, in percent.
    pub principal_share_percent: u32,
    /// Requests at the same time, org-wide.
    pub concurrent: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self::all(1_000_000, 1_000_000)
    }
}

impl Limits {
    fn all(each: u32, concurrent: u32) -> Self {
        Self {
            apps: each,
            app: each,
            other: each,
            clients: each,
            logs: each,
            token: each,
            org_token: each,
            principal_share_percent: 50,
            concurrent,
        }
    }

    /// The numbers last published for a free Integrator org.
    pub fn integrator() -> Self {
        Self {
            apps: 20,
            app: 100,
            other: 100,
            clients: 25,
            logs: 20,
            token: 300,
            org_token: 300,
            ..Self::all(0, 35)
        }
    }

    /// The numbers last published for a One App org.
    pub fn one_app() -> Self {
        Self {
            apps: 100,
            app: 600,
            other: 600,
            clients: 100,
            logs: 50,
            token: 1200,
            org_token: 1200,
            ..Self::all(0, 75)
        }
    }

    fn of(&self, bucket: Bucket) -> u32 {
        match bucket {
            Bucket::Apps => self.apps,
            Bucket::App => self.app,
            Bucket::Other => self.other,
            Bucket::Clients => self.clients,
            Bucket::Logs => self.logs,
            Bucket::Token => self.token,
            Bucket::OrgToken => self.org_token,
            Bucket::None => u32::MAX,
        }
    }
}

/// A group of routes that share a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// As [`Limits::apps`].
    Apps,
    /// As [`Limits::app`].
    App,
    /// As [`Limits::other`].
    Other,
    /// As [`Limits::clients`].
    Clients,
    /// As [`Limits::logs`].
    Logs,
    /// As [`Limits::token`].
    Token,
    /// As [`Limits::org_token`].
    OrgToken,
    /// Metadata and keys.
    None,
}

/// What was used in the current minute.
#[derive(Debug, Default)]
pub struct Windows {
    windows: HashMap<Bucket, Window>,
}

#[derive(Debug, Default)]
struct Window {
    minute: u64,
    used: u32,
    told: bool,
    by_principal: HashMap<String, u32>,
}

/// The three headers, and whether the request is one too many.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// Requests a window.
    pub limit: u32,
    /// Those that are left in this one.
    pub remaining: u32,
    /// When the next one begins, in epoch seconds.
    pub reset: u64,
    /// The request is one too many.
    pub exceeded: bool,
    /// The first refusal in this window: the System Log tells it once.
    pub news: bool,
}

impl Windows {
    /// Takes one request out of a bucket; None for what is not limited.
    #[must_use]
    pub fn take(
        &mut self,
        limits: &Limits,
        bucket: Bucket,
        principal: &str,
        now: u64,
        show_share: bool,
    ) -> Option<Verdict> {
        if bucket == Bucket::None {
            return None;
        }
        let limit = limits.of(bucket);
        let share =
            (u64::from(limit) * u64::from(limits.principal_share_percent) / 100).max(1) as u32;
        let minute = now / 60_000;
        let window = self.windows.entry(bucket).or_default();
        if window.minute != minute {
            *window = Window {
                minute,
                ..Window::default()
            };
        }
        let own = window.by_principal.entry(principal.to_owned()).or_default();
        let exceeded = window.used >= limit || *own >= share;
        if !exceeded {
            window.used += 1;
            *own += 1;
        }
        let news = exceeded && !window.told;
        window.told |= exceeded;
        let (shown, used) = if show_share {
            (share, *own)
        } else {
            (limit, window.used)
        };
        Some(Verdict {
            limit: shown,
            remaining: if exceeded {
                0
            } else {
                shown.saturating_sub(used)
            },
            reset: (minute + 1) * 60,
            exceeded,
            news,
        })
    }

    /// Forgets what was used.
    pub fn clear(&mut self) {
        self.windows.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_bucket_for_one_principal() {
        let limits = Limits {
            apps: 4,
            ..Limits::default()
        };
        let mut windows = Windows::default();
        let mut take = |who: &str, now| {
            windows
                .take(&limits, Bucket::Apps, who, now, false)
                .unwrap()
        };
        assert!(!take("a", 0).exceeded);
        assert_eq!(take("a", 1).remaining, 2);
        assert!(take("a", 2).exceeded);
        assert!(!take("b", 3).exceeded);
        assert!(!take("b", 4).exceeded);
        assert!(take("c", 5).exceeded);
        assert!(!take("a", 60_000).exceeded);
    }
}
