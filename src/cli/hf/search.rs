//! `cortana hf search`: models as a table, or as JSON.

use comfy_table::{ContentArrangement, Table, presets};

use super::{
    super::{
        arguments::SearchOptions,
        failure::Failure,
        output::{print, print_json},
    },
    failed,
};
use crate::hub::{GgufFile, Hub, MODEL_MEMORY, Model, bytes_in_words};

/// Characters of a file's name on a line, so that all columns fit into 80.
const NAME: usize = 46;

/// Files of a model that are shown where there are several models.
const FILES: usize = 6;

pub(super) async fn search(hub: &Hub, options: &SearchOptions) -> Result<(), Failure> {
    let models = hub.search(&options.query, options.limit).await.map_err(failed)?;
    if options.json {
        return print_json(&models);
    }
    if models.is_empty() {
        return print(&format!("No model with GGUF files has a name that contains `{}`.", options.query));
    }
    print(&table(&models))
}

fn table(models: &[Model]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["model\nGGUF files", "downloads\nsize", "likes\nmemory"]);
    let shown = if models.len() == 1 { usize::MAX } else { FILES };
    for model in models {
        let mut lines = vec![[
            format!("{}{}", model.id, marks(model)),
            model.downloads.to_string(),
            model.likes.to_string(),
        ]];
        lines.extend(ladder(&model.files, shown).into_iter().flat_map(rows));
        let rest = model.files.len().saturating_sub(shown);
        if rest > 0 {
            lines.push([format!("  and {rest} between them"), String::new(), String::new()]);
        }
        let column = |at: usize| {
            lines.iter().filter_map(|line| line.get(at)).map(String::as_str).collect::<Vec<_>>().join("\n")
        };
        table.add_row([column(0), column(1), column(2)]);
    }
    let mut lines = vec![table.trim_fmt(), MODEL_MEMORY.to_owned()];
    if models.iter().any(|model| model.files.len() > shown) {
        lines.push("All files of one model: cortana hf search OWNER/MODEL --limit 1".to_owned());
    }
    let gated = models.iter().filter(|model| model.gated);
    lines.extend(gated.map(|model| format!("Gated, to be accepted first: {}", model.page)));
    lines.join("\n")
}

fn marks(model: &Model) -> &'static str {
    match (model.gated, model.private) {
        (true, true) => " (gated, private)",
        (true, false) => " (gated)",
        (false, true) => " (private)",
        (false, false) => "",
    }
}

/// The smallest, the largest, and some in between, when there are too many.
fn ladder(files: &[GgufFile], most: usize) -> Vec<&GgufFile> {
    if files.len() <= most {
        return files.iter().collect();
    }
    let last = files.len() - 1;
    (0..most).filter_map(|step| files.get(step * last / (most - 1))).collect()
}

/// A file's lines: a long name takes several, with nothing in the other columns.
fn rows(file: &GgufFile) -> Vec<[String; 3]> {
    let parts = if file.parts > 1 { format!(" (1 of {} parts)", file.parts) } else { String::new() };
    let name: Vec<char> = format!("{}{parts}", file.name).chars().collect();
    let words = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), bytes_in_words);
    let pieces = name.chunks(NAME).enumerate().map(|(at, piece)| {
        let name = format!("  {}", piece.iter().collect::<String>());
        if at == 0 {
            [name, words(file.bytes), words(file.memory_bytes)]
        } else {
            [name, String::new(), String::new()]
        }
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: u64) -> GgufFile {
        GgufFile { name: name.to_owned(), parts: 1, bytes: Some(bytes), memory_bytes: Some(bytes * 2) }
    }

    #[test]
    fn the_table_fits_into_80_columns_and_keeps_its_lines_together() {
        let gib = 1 << 30;
        let long = format!("{}-Q8_0.gguf", "a".repeat(80));
        let model = |id: &str, files| Model {
            id: id.to_owned(),
            page: format!("https://huggingface.co/{id}"),
            downloads: 12_345_678,
            likes: 1234,
            gated: true,
            private: false,
            files,
        };
        let many = (1..20).map(|size| file(&format!("m-{size}.gguf"), size * gib)).collect();
        let owner = "o".repeat(20);
        let models = [
            model(&format!("{owner}/one-GGUF"), vec![file(&long, 1000 * gib), file("b.gguf", 4 * gib)]),
            model("b/c", many),
        ];
        let text = table(&models);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let line = |of: &str| text.lines().find(|line| line.contains(of)).unwrap_or_default().to_owned();
        assert!(line("b.gguf").contains("4.0 GiB") && line("b.gguf").contains("8.0 GiB"), "{text}");
        assert!(line("m-1.gguf").contains("1.0 GiB") && line("m-19.gguf").contains("19.0 GiB"), "{text}");
        assert!(text.contains("and 13 between them") && text.contains("--limit 1"), "{text}");
        assert!(
            text.contains("one-GGUF (gated)") && text.contains("accepted first: https://huggingface.co/b/c")
        );
        let alone = table(models.get(1..).unwrap_or_default());
        assert!(alone.contains("m-12.gguf") && !alone.contains("between them"), "{alone}");
    }
}
