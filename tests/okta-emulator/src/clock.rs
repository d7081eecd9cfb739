//! The emulator's clock: real time plus whatever a test added to it, and the
//! two date formats of Okta. It never runs backwards and cannot be stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that a test can move forward. Clones share the same offset.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicU64>,
}

impl Clock {
    /// Seconds since 1970.
    pub fn now(&self) -> u64 {
        self.now_ms() / 1000
    }

    /// Milliseconds since 1970.
    #[allow(clippy::disallowed_methods)]
    pub fn now_ms(&self) -> u64 {
        let real = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64);
        real + self.ahead_ms.load(Ordering::SeqCst)
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms
            .fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

/// `2026-08-01T10:00:00.000Z`
pub(crate) fn iso(ms: u64) -> String {
    let (days, rest) = (ms / 86_400_000, ms % 86_400_000);
    let (year, month, day) = civil(days as i64);
    let (h, m, s, milli) = (
        rest / 3_600_000,
        rest / 60_000 % 60,
        rest / 1000 % 60,
        rest % 1000,
    );
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{milli:03}Z")
}

/// Reads what [`iso`] writes, with or without a fraction or an offset.
pub(crate) fn parse_iso(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let days = days_from_civil(number(0..4)?, number(5..7)?, number(8..10)?);
    let seconds = match text.get(10..11) {
        None => 0,
        Some("T" | "t" | " ") => {
            number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19).unwrap_or(0)
        }
        Some(_) => return None,
    };
    let mut rest = text.get(19..).unwrap_or("");
    let mut milli = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits: String = fraction.chars().take_while(char::is_ascii_digit).collect();
        rest = &fraction[digits.len()..];
        milli = format!("{digits:0<3}").get(..3)?.parse::<i64>().ok()?;
    }
    let offset = match rest {
        "" | "Z" | "z" => 0,
        other => {
            let sign = if other.starts_with('-') { -1 } else { 1 };
            let hours: i64 = other.get(1..3)?.parse().ok()?;
            let minutes: i64 = other.get(other.len() - 2..)?.parse().ok()?;
            sign * (hours * 3600 + minutes * 60)
        }
    };
    u64::try_from((days * 86_400 + seconds - offset) * 1000 + milli).ok()
}

fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_survive_the_round_trip() {
        for ms in [0, 951_782_399_999, 1_785_000_000_123, 4_102_444_800_000] {
            assert_eq!(parse_iso(&iso(ms)), Some(ms));
        }
        assert_eq!(iso(1_785_000_000_000), "2026-07-25T17:20:00.000Z");
        assert_eq!(
            parse_iso("2026-07-25T19:20:00+02:00"),
            Some(1_785_000_000_000)
        );
        assert_eq!(parse_iso("yesterday"), None);
    }
}
