# What a person types while working here. `just --list` shows it.

# Everything that has to pass before a change lands.
ci:
    bash .ci/run

# Chat with the whole bot in the terminal; no account needed.
say text="hello":
    cargo run --release -- sandbox --say "{{text}}"

# Formatting and lints, as CI runs them.
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo clippy --all-targets --no-default-features -- -D warnings

# Everything, no network.
test *filter:
    cargo test {{filter}}

# The API documents of the rooms.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --open

# Licences, sources and banned crates; advisories too where there is a network.
deny:
    cargo deny check

# The image, and the bot in it.
up:
    CORTANA_UID=$(id -u) CORTANA_GID=$(id -g) docker compose up --build
