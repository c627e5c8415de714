use clap::CommandFactory as _;

use super::*;

#[test]
fn the_commands_are_well_formed() {
    Arguments::command().debug_assert();
}

#[cfg(feature = "demo")]
fn subcommands(command: &mut clap::Command, parent: &str, help: &mut String) {
    for sub in command.get_subcommands_mut() {
        let name = format!("{parent}{}", sub.get_name());
        help.push_str(&format!("\n──── {name} ────\n"));
        help.push_str(&sub.render_long_help().to_string());
        subcommands(sub, &format!("{name} "), help);
    }
}

/// Accept a change with `UPDATE_EXPECT=1 cargo test -p spanledger-cli`.
#[cfg(feature = "demo")]
#[test]
fn the_help_is_pinned() {
    let mut help = String::new();
    let mut command = Arguments::command().version("0").term_width(100);
    help.push_str(&command.render_long_help().to_string());
    subcommands(&mut command, "", &mut help);
    expect_test::expect_file!["../../tests/golden/help.txt"].assert_eq(&help);
}
