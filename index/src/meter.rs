//! What a call has spent, whatever its outcome.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Counters shared by everyone who works on one call. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    prompt: AtomicU64,
    completion: AtomicU64,
    embedded: AtomicU64,
    bill: Mutex<Bill>,
}

/// What was paid, as far as prices are known.
#[derive(Debug, Default)]
struct Bill {
    /// Amounts by currency.
    paid: Vec<(String, f64)>,
    /// Whether something was used whose price nobody knows.
    open: bool,
}

impl Meter {
    /// Tokens sent to and received from a chat model.
    pub fn chat(&self, prompt: u64, completion: u64) {
        self.0.prompt.fetch_add(prompt, Relaxed);
        self.0.completion.fetch_add(completion, Relaxed);
    }

    /// What tokens cost: an amount and its currency, or `None` where no price is known.
    pub fn pay(&self, price: Option<(f64, &str)>) {
        let Ok(mut bill) = self.0.bill.lock() else { return };
        match price {
            None => bill.open = true,
            Some((amount, currency)) => match bill.paid.iter_mut().find(|(known, _)| known == currency) {
                Some((_, sum)) => *sum += amount,
                None => bill.paid.push((currency.to_owned(), amount)),
            },
        }
    }

    /// What was paid so far; `None` where nothing was, where a price is missing, or where there is no one currency.
    pub fn paid(&self) -> Option<(f64, String)> {
        let bill = self.0.bill.lock().ok()?;
        match bill.paid.as_slice() {
            [(currency, amount)] if !bill.open => Some((*amount, currency.clone())),
            _ => None,
        }
    }

    /// Tokens run through an encoder.
    pub fn embedded(&self, tokens: u64) {
        self.0.embedded.fetch_add(tokens, Relaxed);
    }

    /// Prompt, completion and embedded tokens so far.
    pub fn total(&self) -> (u64, u64, u64) {
        (self.0.prompt.load(Relaxed), self.0.completion.load(Relaxed), self.0.embedded.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(prices: &[Option<(f64, &str)>], paid: Option<(f64, &str)>) {
        let meter = Meter::default();
        prices.iter().for_each(|price| meter.pay(*price));
        assert_eq!(meter.paid(), paid.map(|(amount, currency)| (amount, currency.to_owned())), "{prices:?}");
    }

    #[test]
    fn a_bill_is_told_only_if_all_of_it_is_known() {
        check(&[], None);
        check(&[Some((0.25, "CNY")), Some((0.5, "CNY"))], Some((0.75, "CNY")));
        check(&[Some((0.0, "CNY"))], Some((0.0, "CNY")));
        check(&[Some((0.25, "CNY")), None], None);
        check(&[Some((0.25, "CNY")), Some((0.5, "USD"))], None);
    }
}
