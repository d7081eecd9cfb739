//! Faults that a test injects: late, cut, wrong and lagging answers. They are
//! applied in `serve`; here is only what they are and when one is due.

use serde::{Deserialize, Serialize};

/// A fault, and the requests that it hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Template such as `/api/v1/apps/{appId}`; None hits every route.
    #[serde(default)]
    pub route: Option<String>,
    /// HTTP method; None hits all.
    #[serde(default)]
    pub method: Option<String>,
    /// What happens.
    pub kind: FaultKind,
    /// How often; None means until cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// How many matching requests pass first.
    #[serde(default)]
    pub skip: u32,
}

impl Fault {
    /// A fault that hits every request until it is cleared.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            route: None,
            method: None,
            kind,
            times: None,
            skip: 0,
        }
    }

    /// The same for one method and route template.
    #[must_use]
    pub fn on(mut self, method: &str, route: &str) -> Self {
        self.method = Some(method.to_owned());
        self.route = Some(route.to_owned());
        self
    }

    /// The same, so many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same, after so many matching requests.
    #[must_use]
    pub fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The answer comes so many real milliseconds late.
    Latency(u64),
    /// The connection closes before the request has any effect.
    CutBefore,
    /// The request has its effect; the connection closes without an answer.
    CutAfter,
    /// This status, and no effect.
    Status {
        /// HTTP status.
        status: u16,
        /// Okta's code; E0000009 and its like when None.
        #[serde(default)]
        error_code: Option<String>,
    },
    /// Exactly this answer, and no effect: what a proxy, a maintenance page or
    /// an impostor would say in Okta's place.
    Answer {
        /// HTTP status.
        status: u16,
        /// Headers besides Okta's own, such as `location`.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body.
        #[serde(default)]
        body: String,
    },
    /// The effect, then 200 with something that is not JSON.
    Malformed,
    /// The effect, then half of the answer's body.
    Truncated,
    /// Org-wide: so many milliseconds of emulator time pass until a new client
    /// is known and a change is seen by the token endpoint.
    Lag(u64),
    /// Org-wide: Okta's idea of the time is off by so many seconds.
    ClockSkew(i64),
    /// A create stores, and answers, another client id than asked for.
    CreateAnswersOtherClientId,
}

/// Decides for each request, by its method and route template, what befalls it.
pub type Weather = Box<dyn FnMut(&str, &str) -> Vec<FaultKind> + Send>;

/// The faults in force.
#[derive(Default)]
pub(crate) struct Faults {
    faults: Vec<Fault>,
    weather: Option<Weather>,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults")
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(crate) fn set_weather(&mut self, weather: Weather) {
        self.weather = Some(weather);
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
        self.weather = None;
    }

    pub(crate) fn all(&self) -> &[Fault] {
        &self.faults
    }

    /// The kinds that hit this request; each is used up by one.
    pub(crate) fn due(&mut self, method: &str, route: &str) -> Vec<FaultKind> {
        let mut due = Vec::new();
        for fault in &mut self.faults {
            let org_wide = matches!(
                fault.kind,
                FaultKind::Lag(_) | FaultKind::ClockSkew(_) | FaultKind::CreateAnswersOtherClientId
            );
            if org_wide
                || fault
                    .method
                    .as_ref()
                    .is_some_and(|wanted| !wanted.eq_ignore_ascii_case(method))
                || fault.route.as_ref().is_some_and(|wanted| wanted != route)
            {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if use_up(fault) {
                due.push(fault.kind.clone());
            }
        }
        self.faults.retain(|fault| fault.times != Some(0));
        due.extend(self.weather.iter_mut().flat_map(|w| w(method, route)));
        due
    }

    /// The longest lag in force, milliseconds.
    pub(crate) fn lag(&self) -> u64 {
        let lags = self.faults.iter().map(|fault| match fault.kind {
            FaultKind::Lag(ms) => ms,
            _ => 0,
        });
        lags.max().unwrap_or(0)
    }

    /// The skew in force, seconds.
    pub(crate) fn skew(&self) -> i64 {
        let skews = self.faults.iter().map(|fault| match fault.kind {
            FaultKind::ClockSkew(seconds) => seconds,
            _ => 0,
        });
        skews.sum()
    }

    /// Whether the create under way gets another client id.
    pub(crate) fn other_client_id(&mut self) -> bool {
        let fault = self
            .faults
            .iter_mut()
            .find(|fault| fault.kind == FaultKind::CreateAnswersOtherClientId);
        let hit = fault.is_some_and(|fault| {
            if fault.skip > 0 {
                fault.skip -= 1;
                false
            } else {
                use_up(fault)
            }
        });
        self.faults.retain(|fault| fault.times != Some(0));
        hit
    }
}

fn use_up(fault: &mut Fault) -> bool {
    match &mut fault.times {
        None => true,
        Some(0) => false,
        Some(left) => {
            *left -= 1;
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skip_then_times_then_nothing() {
        let mut faults = Faults::default();
        faults.add(
            Fault::new(FaultKind::CutBefore)
                .on("GET", "/r")
                .skip(1)
                .times(2),
        );
        assert!(faults.due("POST", "/r").is_empty());
        let hits: Vec<usize> = (0..5).map(|_| faults.due("GET", "/r").len()).collect();
        assert_eq!(hits, [0, 1, 1, 0, 0]);
        assert!(faults.all().is_empty());
    }

    #[test]
    fn the_weather_is_asked_about_each_request_until_it_is_cleared() {
        let mut faults = Faults::default();
        faults.set_weather(Box::new(|method, route| {
            let hit = method == "GET" && route == "/r";
            hit.then_some(FaultKind::CutAfter).into_iter().collect()
        }));
        faults.add(Fault::new(FaultKind::Latency(1)).times(1));
        assert_eq!(
            faults.due("GET", "/r"),
            [FaultKind::Latency(1), FaultKind::CutAfter]
        );
        assert!(faults.due("POST", "/r").is_empty());
        faults.clear();
        assert!(faults.due("GET", "/r").is_empty());
    }
}
