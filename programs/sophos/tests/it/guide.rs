//! Runs the commands of the guide and compares what they print.

use crate::program::Program;

/// A command of the guide with what it is said to print, messages after data.
struct Step {
    words: Vec<String>,
    expected: Vec<String>,
}

/// Splits a line into words; double quotes keep spaces together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().unwrap().push(letter),
        }
    }
    words
}

/// The steps of every console block, block by block: each block has a home of its own.
fn blocks(guide: &str) -> Vec<Vec<Step>> {
    let mut blocks = Vec::new();
    for block in guide.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        let mut steps: Vec<Step> = Vec::new();
        for line in block.lines() {
            match (line.strip_prefix("$ sophos "), steps.last_mut()) {
                (Some(command), _) => {
                    steps.push(Step {
                        words: words(command),
                        expected: Vec::new(),
                    });
                }
                (None, Some(step)) => step.expected.push(line.to_owned()),
                (None, None) => panic!("output without a command: {line}"),
            }
        }
        blocks.push(steps);
    }
    blocks
}

/// Compares lines; an expected line of three dots stands for any number of them.
fn fits(expected: &[String], shown: &[&str]) -> bool {
    match expected.split_first() {
        None => shown.is_empty(),
        Some((dots, rest)) if dots == "..." => {
            (0..=shown.len()).any(|skipped| fits(rest, &shown[skipped..]))
        }
        Some((line, rest)) => shown.split_first().is_some_and(|(first, others)| {
            line.trim_end() == first.trim_end() && fits(rest, others)
        }),
    }
}

#[test]
fn every_command_of_the_guide_prints_what_it_says() {
    let guide =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sophos.md"));
    let blocks = blocks(&guide.unwrap());
    assert!(blocks.len() > 10);
    for steps in blocks {
        let program = Program::new().input("the-secret\n");
        for step in steps {
            let words: Vec<&str> = step.words.iter().map(String::as_str).collect();
            let outcome = program.run(&words);
            let shown = format!("{}{}", outcome.stdout, outcome.stderr);
            let lines: Vec<&str> = shown.lines().collect();
            assert!(
                fits(&step.expected, &lines),
                "sophos {}\n--- the guide\n{}\n--- the program\n{shown}",
                words.join(" "),
                step.expected.join("\n"),
            );
        }
    }
}
