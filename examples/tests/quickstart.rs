use crate::support::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_of_the_readme_makes_one_attributed_event() {
    let world = World::start().await;
    let events = world.run("quickstart").await;
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!((events[0].customer_id.as_deref(), events[0].cost_state.as_str()), (Some("acme"), "priced"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_of_a_stream_makes_one_priced_event() {
    let world = World::start().await;
    let events = world.run("chat").await;
    assert_eq!(events.len(), 1, "{events:#?}");
    assert!(events[0].stream && events[0].cost_state == "priced", "{events:#?}");
}

/// Guarantees: the README's program compiles in a package that has only the dependencies which the README names.
#[test]
fn the_program_of_the_readme_is_the_example() {
    let without_spaces = |text: &str| text.split_whitespace().collect::<String>();
    let example = without_spaces(include_str!("../quickstart.rs"));
    let readme = include_str!("../../crates/spanledger/README.md");
    let start = readme.find("```\nuse std::time::Duration;").unwrap() + 4;
    let (program, _) = readme[start..].split_once("```").unwrap();
    let mut rest = example.as_str();
    let mut visible = 0;
    // Lines that begin with `# ` are not shown to readers.
    for part in
        program.lines().map(|line| if line.starts_with("# ") || line.starts_with("#  ") { "" } else { line })
    {
        let part = without_spaces(part);
        let at =
            rest.find(&part).unwrap_or_else(|| panic!("the example lacks `{part}`, or has it elsewhere"));
        rest = &rest[at + part.len()..];
        visible += usize::from(!part.is_empty());
    }
    assert!(visible > 15, "{visible}");
}
