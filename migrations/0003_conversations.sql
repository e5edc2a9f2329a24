-- Personas that were typed in Discord, each a server's or a person's. Times are milliseconds since 1970 in UTC.
CREATE TABLE personas (
    scope TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    PRIMARY KEY (scope, owner, name)
);

-- What is left of the beginning of long conversations, a row a branch: up to and with the message `newest`.
CREATE TABLE conversations (
    channel TEXT NOT NULL,
    newest TEXT NOT NULL,
    summary TEXT NOT NULL,
    written_at BIGINT NOT NULL,
    PRIMARY KEY (channel, newest)
);
CREATE INDEX conversations_by_age ON conversations (written_at);

-- Every message that went into it.
CREATE TABLE conversation_messages (
    message TEXT NOT NULL,
    channel TEXT NOT NULL,
    newest TEXT NOT NULL,
    PRIMARY KEY (message, channel, newest)
);
CREATE INDEX conversation_messages_by_branch ON conversation_messages (channel, newest);
