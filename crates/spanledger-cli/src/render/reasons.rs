//! Explains why requests failed, have no price, lack attribution or were retried.

use spanledger_ledger::{Reason, Reasons, Totals};

use super::{
    amount::{Bound, dollars, grouped},
    parts::WIDTH,
    text::{printable, wrapped},
};

/// The greatest number of reasons that a section lists; the others are counted together.
const LISTED_MAX: usize = 10;
/// The column in which the text of a section begins.
const INDENT: usize = 12;

/// A section for each kind of reason. A kind without requests has no section.
pub(crate) fn reasons(reasons: &Reasons, width: Option<usize>) -> String {
    let width = width.unwrap_or(WIDTH);
    let mut text = section("Failed", "by error", &reasons.failed, width);
    text.push_str(&section("Unpriced", "never counted as zero", &reasons.unpriced, width));
    let missing = "counted in every total, but without all of their attribution; they lack";
    text.push_str(&section("Quarantined", missing, &reasons.quarantined, width));
    if !reasons.quarantined.is_empty() {
        let hint = "docs/configuration.md lists the attributes from which these fields are read";
        text.push_str(&wrapped(&" ".repeat(INDENT), INDENT, hint, width));
    }
    text.push_str(&retried(reasons, width));
    text
}

/// How the spend of a report relates to the real one.
pub(crate) fn bound(totals: &Totals) -> Bound {
    let is_uncertain = totals.cost_uncertain > 0;
    Bound::new(totals.unpriced > 0 || is_uncertain, totals.cost_upper_bound > 0 || is_uncertain)
}

/// Explains why the spend is not exact because of counts that emitters did not state.
pub(crate) fn inexact(total: &Totals, width: Option<usize>) -> String {
    let width = width.unwrap_or(WIDTH);
    let section = |name: &str, count: i64, words: &str| {
        if count == 0 {
            return String::new();
        }
        let verb = if count == 1 { "does" } else { "do" };
        wrapped(&title(name), INDENT, &format!("{} {verb} not state {words}", requests(count)), width)
    };
    let mut text = section(
        "Upper bound",
        total.cost_upper_bound,
        "the cached tokens, which are cheaper than other input: the real spend may be lower (≤)",
    );
    text.push_str(&section(
        "Uncertain",
        total.cost_uncertain,
        "the tokens written to a cache, which are dearer than other input: the real spend may be higher, or lower if \
         the cached tokens are not stated either (≈)",
    ));
    if total.unpriced > 0 && total.cost_upper_bound > 0 {
        let words = "requests without a price raise the real spend, and unstated cached tokens lower it: a sum with \
                     both is neither a lower nor an upper bound (≈)";
        text.push_str(&wrapped(&title("Neither"), INDENT, words, width));
    }
    text
}

fn title(name: &str) -> String {
    format!("{name:<INDENT$}")
}

fn section(name: &str, note: &str, reasons: &[Reason], width: usize) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let all: i64 = reasons.iter().map(|reason| reason.requests).sum();
    let mut text = wrapped(&title(name), INDENT, &format!("{}, {note}", requests(all)), width);
    for reason in reasons.iter().take(LISTED_MAX) {
        let words = match &reason.detail {
            Some(detail) => format!("{}: {}", reason.name, detail),
            None => reason.name.clone(),
        };
        let count = format!("{:INDENT$}{:>4} × ", "", grouped(reason.requests));
        text.push_str(&wrapped(&count, count.chars().count(), &printable(&words), width));
    }
    let others = reasons.get(LISTED_MAX..).unwrap_or_default();
    if !others.is_empty() {
        let rest: i64 = others.iter().map(|reason| reason.requests).sum();
        text.push_str(&format!("{:INDENT$}{:>4} × {} other reasons\n", "", grouped(rest), others.len()));
    }
    text
}

fn retried(reasons: &Reasons, width: usize) -> String {
    if reasons.retried == 0 {
        return String::new();
    }
    let mut words = format!("{} needed more than one attempt and count once", requests(reasons.retried));
    if reasons.billed_again > 0 {
        words.push_str(&format!(
            "; {} of them had a second billed response, which adds {} USD to the invoice",
            grouped(reasons.billed_again),
            dollars(reasons.retry_cost, Bound::Exact)
        ));
    }
    wrapped(&title("Retried"), INDENT, &words, width)
}

fn requests(count: i64) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{} requests", grouped(count)) }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use spanledger_event::Usd;

    use super::*;

    fn reason(name: &str, detail: Option<&str>, requests: i64) -> Reason {
        Reason { name: name.to_owned(), detail: detail.map(str::to_owned), requests }
    }

    #[test]
    fn each_reason_is_listed_with_its_requests() {
        let sample = Reasons {
            failed: vec![reason("insufficient_quota", None, 1_200), reason("\u{1b}[2J", None, 1)],
            unpriced: vec![reason("unknown_model", Some("the book has no model `gpt-7` of openai"), 1)],
            quarantined: vec![reason("customer_id, environment", None, 22)],
            retried: 4,
            billed_again: 1,
            retry_cost: Usd::from_picos(1_656_000_000),
        };
        expect![[r"
            Failed      1,201 requests, by error
                        1,200 × insufficient_quota
                           1 × �[2J
            Unpriced    1 request, never counted as zero
                           1 × unknown_model: the book has no model `gpt-7` of openai
            Quarantined 22 requests, counted in every total, but without all of their
                        attribution; they lack
                          22 × customer_id, environment
                        docs/configuration.md lists the attributes from which these fields
                        are read
            Retried     4 requests needed more than one attempt and count once; 1 of them
                        had a second billed response, which adds 0.001656 USD to the invoice
        "]]
        .assert_eq(&reasons(&sample, Some(80)));
        assert_eq!(reasons(&Reasons::default(), Some(80)), "");
    }

    #[test]
    fn a_spend_that_is_not_exact_is_explained() {
        let totals = Totals { cost_upper_bound: 1_200, cost_uncertain: 1, unpriced: 2, ..Totals::default() };
        expect![[r"
            Upper bound 1,200 requests do not state the cached tokens, which are cheaper
                        than other input: the real spend may be lower (≤)
            Uncertain   1 request does not state the tokens written to a cache, which are
                        dearer than other input: the real spend may be higher, or lower if
                        the cached tokens are not stated either (≈)
            Neither     requests without a price raise the real spend, and unstated cached
                        tokens lower it: a sum with both is neither a lower nor an upper
                        bound (≈)
        "]]
        .assert_eq(&inexact(&totals, Some(80)));
        assert_eq!(inexact(&Totals { unpriced: 2, ..Totals::default() }, Some(80)), "");
        let only = |totals: Totals| (bound(&totals), inexact(&totals, Some(80)).contains("Neither"));
        assert_eq!(only(Totals { unpriced: 1, ..Totals::default() }), (Bound::AtLeast, false));
        assert_eq!(only(Totals { cost_upper_bound: 1, ..Totals::default() }), (Bound::AtMost, false));
        assert_eq!(only(Totals { cost_uncertain: 1, ..Totals::default() }), (Bound::Neither, false));
        assert_eq!(only(totals), (Bound::Neither, true));
        assert_eq!(only(Totals::default()), (Bound::Exact, false));
    }

    #[test]
    fn rare_reasons_are_counted_together() {
        let failed = (0..12).map(|number| reason(&format!("code {number}"), None, 2)).collect();
        let text = reasons(&Reasons { failed, ..Reasons::default() }, Some(80));
        assert!(text.ends_with("   4 × 2 other reasons\n"), "{text}");
        assert_eq!(text.lines().count(), 12);
    }
}
