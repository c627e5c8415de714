//! A monthly quota for each customer, in the memory of the process.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use spanledger_event::{Timestamp, Usd};

use super::{PlannedCall, SpendGuard, SpendRefusal};

/// Refuses the calls of a customer whose calls of the month would cost more than a quota.
///
/// Calls in flight count with what they may cost, so that parallel calls cannot exceed the quota together. Months
/// are those of UTC. The sums are in the memory of this process: they begin at zero when it starts, and other
/// processes have sums of their own.
///
/// ```
/// use async_openai::config::OpenAIConfig;
/// use spanledger::{MonthlyQuota, Usd};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let quota = MonthlyQuota::new("50".parse()?)
///     .with_customer("acme", "500".parse()?)
///     .without_quota("internal");
/// let client = spanledger::instrument(OpenAIConfig::new()).spend_guard(quota).build();
/// # let _: async_openai::Client<OpenAIConfig> = client;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MonthlyQuota {
    quota: Usd,
    /// The quotas of some customers; `None` for no quota.
    customers: HashMap<String, Option<Usd>>,
    months: Mutex<BTreeMap<Month, HashMap<String, Account>>>,
}

/// What a customer has used in a month.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    spent: Usd,
    /// What the calls in flight may cost.
    reserved: Usd,
}

/// The number of months whose sums are kept: calls of the last month can end in this one.
const MONTHS_KEPT: usize = 2;

/// Year and month of UTC, such as `2026-11`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Month([u8; 7]);

impl Month {
    fn of(at: Timestamp) -> Self {
        let mut month = Self::default();
        for (to, from) in month.0.iter_mut().zip(at.to_string().bytes()) {
            *to = from;
        }
        month
    }

    fn name(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl MonthlyQuota {
    /// Creates a guard that allows each customer this amount in each month.
    pub fn new(quota: Usd) -> Self {
        Self { quota, customers: HashMap::new(), months: Mutex::default() }
    }

    /// Sets the quota of a customer.
    #[must_use]
    pub fn with_customer(mut self, customer_id: impl Into<String>, quota: Usd) -> Self {
        self.customers.insert(customer_id.into(), Some(quota));
        self
    }

    /// Never refuses the calls of a customer.
    #[must_use]
    pub fn without_quota(mut self, customer_id: impl Into<String>) -> Self {
        self.customers.insert(customer_id.into(), None);
        self
    }

    /// What a customer's calls have cost in the month of a moment, and what those in flight may cost.
    pub fn used(&self, customer_id: &str, at: Timestamp) -> (Usd, Usd) {
        let months = self.months.lock().unwrap_or_else(PoisonError::into_inner);
        let account = months.get(&Month::of(at)).and_then(|accounts| accounts.get(customer_id));
        account.map_or_else(Default::default, |account| (account.spent, account.reserved))
    }

    fn quota_of(&self, customer: &str) -> Option<Usd> {
        self.customers.get(customer).copied().unwrap_or(Some(self.quota))
    }
}

/// The customer of a call. Calls without a customer have a common quota.
fn customer(call: &PlannedCall) -> &str {
    call.attribution.customer_id.as_deref().unwrap_or_default()
}

impl SpendGuard for MonthlyQuota {
    fn reserve(&self, call: &PlannedCall) -> Result<(), SpendRefusal> {
        let customer = customer(call);
        let Some(quota) = self.quota_of(customer) else { return Ok(()) };
        let (month, bound) = (Month::of(call.at), call.upper_bound.unwrap_or_default());
        let mut months = self.months.lock().unwrap_or_else(PoisonError::into_inner);
        if !months.contains_key(&month) && months.len() >= MONTHS_KEPT {
            months.pop_first();
        }
        let account = months.entry(month).or_default().entry(customer.to_owned()).or_default();
        let used = account.spent + account.reserved;
        // A call whose cost cannot be estimated is refused once the quota is used up.
        if used + bound > quota || used >= quota {
            let name = if customer.is_empty() { "calls without a customer" } else { customer };
            let (spent, reserved, month) = (account.spent, account.reserved, month.name());
            return Err(SpendRefusal::monthly_quota(format!(
                "{name} used {spent} of {quota} dollars in {month}; calls in flight may cost {reserved} and this \
                 one {bound}"
            )));
        }
        account.reserved = account.reserved + bound;
        Ok(())
    }

    fn settle(&self, call: &PlannedCall, cost: Option<Usd>) {
        let bound = call.upper_bound.unwrap_or_default();
        let mut months = self.months.lock().unwrap_or_else(PoisonError::into_inner);
        let accounts = months.get_mut(&Month::of(call.at));
        if let Some(account) = accounts.and_then(|accounts| accounts.get_mut(customer(call))) {
            account.reserved = account.reserved.minus(bound);
            account.spent = account.spent + cost.unwrap_or(bound);
        }
    }
}
