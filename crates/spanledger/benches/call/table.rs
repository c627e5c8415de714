//! Prints what was measured.

use std::time::Duration;

use crate::{
    order::{Order, Taken},
    run::Series,
    scenario::Scenario,
};

/// A median and the quartiles around it.
struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    let at = |quarter: usize| values[(values.len() - 1) * quarter / 4];
    Spread { low: at(1), median: at(2), high: at(3) }
}

/// A column: its title, and its figure for each unit.
type Column = (&'static str, fn(&Taken) -> Duration);

const COLUMNS: [Column; 4] = [
    ("CPU, caller's thread", |taken| taken.caller),
    ("wall clock", |taken| taken.wall),
    ("CPU, all threads", |taken| taken.all),
    ("of it the exporter's", |taken| taken.exporter),
];

/// Prints a scenario.
pub(crate) fn print(scenario: Scenario, order: &Order, series: &[Series]) {
    println!("\n{}", scenario.title());
    let rounds = series[0].taken.len();
    let streams = if order.chunks == 0 { String::new() } else { format!(" of {} chunks", order.chunks) };
    println!("{rounds} rounds of {} calls{streams} by each client, in turns", order.calls);
    if scenario.is_at_once() {
        print_throughput(order, series);
    } else {
        print_times(order, series);
    }
}

fn print_times(order: &Order, series: &[Series]) {
    let units = (order.calls * order.chunks.max(1)) as f64;
    let titles = COLUMNS.map(|(title, _)| format!("{title:>30}")).join(" ");
    println!("{:<34} {titles}", "");
    for one in series {
        let cells = COLUMNS.map(|(_, figure)| {
            let micros = |taken: &Taken| figure(taken).as_secs_f64() * 1e6 / units;
            let cell = match one.base {
                None => format!("{:.2} µs", spread(one.taken.iter().map(micros).collect()).median),
                Some(base) => {
                    let pairs = one.taken.iter().zip(&series[base].taken);
                    let added = spread(pairs.map(|(with, without)| micros(with) - micros(without)).collect());
                    format!("{:+.2} µs ({:.2} … {:.2})", added.median, added.low, added.high)
                }
            };
            format!("{cell:>30}")
        });
        println!("{:<34} {}", one.name, cells.join(" "));
    }
}

fn print_throughput(order: &Order, series: &[Series]) {
    let chunks = (order.calls * order.chunks) as f64;
    let title = "throughput of the bare client";
    println!("{:<34} {:>12} {title:>32} {:>30}", "", "chunks/s", "CPU of a chunk");
    for one in series {
        let rate = spread(one.taken.iter().map(|taken| chunks / taken.wall.as_secs_f64()).collect()).median;
        let micros = |taken: &Taken| taken.all.as_secs_f64() * 1e6 / chunks;
        let base = one.base.map_or(one, |base| &series[base]);
        let pairs = || one.taken.iter().zip(&base.taken);
        let ratio = spread(
            pairs()
                .map(|(with, without)| 100.0 * without.wall.as_secs_f64() / with.wall.as_secs_f64())
                .collect(),
        );
        let added = spread(pairs().map(|(with, without)| micros(with) - micros(without)).collect());
        let (ratio, cpu) = if one.base.is_some() {
            let ratio = format!("{:.1} % ({:.1} … {:.1})", ratio.median, ratio.low, ratio.high);
            (ratio, format!("{:+.2} µs ({:.2} … {:.2})", added.median, added.low, added.high))
        } else {
            let cpu = spread(one.taken.iter().map(micros).collect()).median;
            ("100 %".to_owned(), format!("{cpu:.2} µs"))
        };
        println!("{:<34} {rate:>12.0} {ratio:>32} {cpu:>30}", one.name);
    }
}
