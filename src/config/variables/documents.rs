//! What is written from the table of variables: `.env.example` and the tables of docs/configuration.md.

use std::fmt::Write as _;

use super::{Of, PROVIDER_VARIABLES, ProviderVariable, Section, VARIABLES, Variable};

/// The text of `.env.example`.
pub fn env_example() -> String {
    let mut text = "\
# Copy this to .env and set what you need; every line that begins with `#` shows a default or an example.
# All mistakes are reported at once: `cortana doctor`. Every variable is explained in docs/configuration.md.
# A secret can also come from a file (Docker secrets): NAME_FILE=/run/secrets/name instead of NAME.
"
    .to_owned();
    for section in Section::ALL {
        let _infallible = write!(text, "\n# ---- {} ----\n", section.title());
        for variable in VARIABLES.iter().filter(|variable| variable.section == section) {
            // The one variable to fill in stands ready to be filled in.
            let hash = if variable.name == "DISCORD_TOKEN" { "" } else { "# " };
            let Variable { name, default, line, .. } = variable;
            let _infallible = write!(text, "\n# {}\n{hash}{name}={default}\n", line.replace('`', ""));
        }
        if section == Section::Credentials {
            text.push_str("\n# The variables of one provider begin with its id in capitals:\n");
            text.push_str(
                "# GEMINI_CLI, QWEN_CODE, ANTIGRAVITY, IFLOW, AZURE, OPENAI, ANTHROPIC and so on.\n",
            );
            for ProviderVariable { suffix, line, example, .. } in PROVIDER_VARIABLES {
                let _infallible = write!(text, "\n# {line}\n# {example}_{suffix}=\n");
            }
        }
    }
    text
}

/// The table of docs/configuration.md, in Markdown.
pub fn markdown() -> String {
    let mut text = String::new();
    for section in Section::ALL {
        let _infallible =
            write!(text, "### {}\n\n| variable | default | meaning |\n|---|---|---|\n", section.title());
        for variable in VARIABLES.iter().filter(|variable| variable.section == section) {
            let Variable { name, default, line, .. } = variable;
            let file = if variable.is_secret() { format!(", `{name}_FILE`") } else { String::new() };
            let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
            let _infallible = writeln!(text, "| `{name}`{file} | {default} | {line} |");
        }
        text.push('\n');
        if section == Section::Credentials {
            text.push_str("### Of each provider\n\n| variable | of | meaning |\n|---|---|---|\n");
            for variable in PROVIDER_VARIABLES {
                let ProviderVariable { suffix, line, .. } = variable;
                let file =
                    if variable.is_secret() { format!(", `…_{suffix}_FILE`") } else { String::new() };
                let of = match variable.of {
                    Of::Every => "all",
                    Of::Logins => "logins",
                    Of::Keys => "key providers, iFlow, Hugging Face",
                    Of::Projects => "Gemini CLI, Antigravity, Vertex AI",
                    Of::Vertex => "Vertex AI",
                    Of::Azure => "Azure OpenAI",
                };
                let _infallible = writeln!(text, "| `<PROVIDER>_{suffix}`{file} | {of} | {line} |");
            }
            text.push('\n');
        }
    }
    text.trim_end().to_owned() + "\n"
}
