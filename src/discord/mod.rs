//! Discord: the client, its events, commands and embeds, and the sink over messages. The only room that names
//! serenity or poise.
