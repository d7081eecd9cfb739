//! What is said on standard error while it goes on. The results go to standard
//! output, so that they can be kept by themselves.

use crate::figures::Measured;

pub(crate) fn say(text: &str) {
    eprintln!("bench: {text}");
}

/// One scenario, as soon as it is over.
pub(crate) fn measured(measured: &Measured) {
    let Measured { title, seconds, .. } = measured;
    say(&format!("{title}: {seconds:.1} s"));
    for wrong in &measured.wrong {
        say(&format!("WRONG: {wrong}"));
    }
}
