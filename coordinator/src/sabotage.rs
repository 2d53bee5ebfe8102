//! Faults built in on purpose, so that the fault run can show that it would find them.
//!
//! Only the program `ffleet-coordinator-sabotage` has them, which the feature `sabotage` builds; it takes its orders from
//! the environment variable `FFLEET_SABOTAGE`, as words separated by commas. In the released program every question here
//! is answered with a constant `false`.

/// Declares questions that are `false` unless the feature is on and the word was ordered.
macro_rules! questions {
    ($($(#[$doc:meta])* $question:ident = $word:literal;)+) => {
        $(
            $(#[$doc])*
            #[cfg(feature = "sabotage")]
            pub(crate) fn $question() -> bool {
                ordered($word)
            }

            $(#[$doc])*
            #[cfg(not(feature = "sabotage"))]
            pub(crate) const fn $question() -> bool {
                false
            }
        )+
    };
}

questions! {
    /// Whether the word of whoever once held a lease counts for ever.
    epochs_are_unchecked = "epochs-unchecked";
    /// Whether a submit is acknowledged before it is committed.
    acknowledges_before_commit = "acknowledge-before-commit";
    /// Whether the nonces that one coordinator has seen mean nothing to the others.
    nonces_are_per_process = "nonces-per-process";
}

#[cfg(feature = "sabotage")]
fn ordered(word: &str) -> bool {
    static ORDERS: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let orders = ORDERS.get_or_init(|| std::env::var("FFLEET_SABOTAGE").unwrap_or_default());
    orders.split(',').any(|order| order == word)
}
