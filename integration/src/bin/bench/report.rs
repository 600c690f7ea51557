//! What is written to `target/bench`.

use std::fs;

use serde::Serialize;

use crate::goal::Goal;

/// The figures, and how they meet the goals.
#[derive(Debug, Serialize)]
pub struct Report<Figures> {
    #[serde(flatten)]
    pub figures: Figures,
    pub goals: Vec<Goal>,
}

impl<Figures: Serialize> Report<Figures> {
    /// Prints the goals, and writes files of this name: all of it as JSON, and the plot.
    pub fn finish(&self, name: &str, plot: &str) {
        println!();
        for goal in &self.goals {
            println!("{goal}");
        }
        let directory = lab::workspace().join("target/bench");
        fs::create_dir_all(&directory).expect("make target/bench");
        let json = serde_json::to_string_pretty(self).expect("JSON") + "\n";
        for (extension, text) in [("json", json.as_str()), ("svg", plot)] {
            let file = directory.join(name).with_extension(extension);
            fs::write(file, text).expect("write into target/bench");
        }
        println!(
            "\nAll figures: target/bench/{name}.json; a plot of them: target/bench/{name}.svg"
        );
    }
}
