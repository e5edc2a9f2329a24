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

-- What is left of the beginning of long conversations, a row a branch: up to and with the message `newest`. Of somebody who
-- began afresh it holds nothing from before the id `since`; '0': of what everybody reads.
CREATE TABLE conversations (
    channel TEXT NOT NULL,
    since TEXT NOT NULL,
    newest TEXT NOT NULL,
    summary TEXT NOT NULL,
    written_at BIGINT NOT NULL,
    PRIMARY KEY (channel, since, newest)
);
CREATE INDEX conversations_by_age ON conversations (written_at);

-- Every message that went into it.
CREATE TABLE conversation_messages (
    message TEXT NOT NULL,
    channel TEXT NOT NULL,
    since TEXT NOT NULL,
    newest TEXT NOT NULL,
    PRIMARY KEY (message, channel, since, newest)
);
CREATE INDEX conversation_messages_by_branch ON conversation_messages (channel, since, newest);
