### What Cortana says to people in Discord, in English: the source that every other language follows.
###
### A sentence stands on one line, whatever its length; a line break here is a line break there. Names of variables, words
### in `code` and addresses stay as they are. CONTRIBUTING, "Adding a sentence" and "Adding a language".

## Why there is no answer. Whoever runs the bot reads the `-operator` ones.

failure-nothing-configured = No OAuth credentials configured, so I cannot reach a model yet. Please ask whoever runs this bot to add one.
failure-nothing-configured-operator = No OAuth credentials configured: put a credential file into the credentials folder, or set `GEMINI_CLI_OAUTH_CREDENTIALS`, `QWEN_CODE_OAUTH_CREDENTIALS` or an API key such as `OPENAI_API_KEY`. A file counts within seconds; a variable needs a restart.
failure-needs-operator = None of my accounts can answer until whoever runs this bot has looked after them. Please tell them.
failure-needs-operator-operator = Every account needs a person: run `/settings oauth-status` to see which login, licence or terms are missing.
failure-resting = All accounts are resting for now; the first is back { $until }. Please ask again then.
failure-capacity = The model is overloaded for everybody right now. Please try again in a minute, or choose another model.
failure-too-long = This conversation is too long for the model. Please start a new one, or send less text at once.
failure-blocked = The provider's safety filter refused this. Please put it in other words.
failure-bad-request = The provider refused this request, and asking again will not help. Please change the question or tell whoever runs this bot the id below.
failure-bad-request-operator = The provider refused the request as malformed; asking again will not help. The log has it under the id below.
failure-unknown-model = The provider does not offer this model. Please choose another one.
failure-unknown-model-operator = The provider does not offer this model. Please choose another one, or correct `DEFAULT_MODEL`.
failure-provider-down = The provider does not answer properly at the moment. Please try again in a few minutes.
failure-deadline = The model did not begin to answer in time. Please try again.
failure-interrupted = The answer broke off here. Please let me continue, or ask again.
failure-malformed = The provider sent an answer that I could not read. Please try again.
failure-empty = The model sent an empty answer. Please try again, or put the question in other words.
failure-client-version = The provider demands an update of this bot. Please tell whoever runs it.
failure-client-version-operator = The provider demands a newer version of its client, of every account alike: update the bot, or set the provider's `_USER_AGENT` variable (`ANTIGRAVITY_USER_AGENT`) to one that it accepts, if its terms let you.

## Small lines around an answer.

notice-fallback = Answered by { $used }, because { $wanted } was not available.
notice-no-pictures = { $model } cannot see pictures, so this is answered without them.
notice-no-gifs = { $model } cannot see GIFs, so this is answered without them.
notice-resting = All accounts are resting, next { $until }. I will answer then.
ending-length = The answer reached the length limit. Continue, or ask for something shorter.
ending-filtered = The provider's safety filter ended the answer here ({ $code }).
ending-other = The answer ended early ({ $code }).
thinking = Thinking…
stopped = Stopped.
drained = I am restarting, so this answer ends here. Please ask again in a moment.
# These three stand below an answer of the greatest length: at most 75 characters.
file-later = The rest comes as a file when the answer is complete.
file-attached = The rest of the answer is in the attached file.
file-refused = The rest is left out: I may not attach files here.

## Files that were not read. The first holds one of the others.

unread = I did not read { $name }: { $why }.
unread-too-large = it is larger than { $limit }
unread-too-many = only the newest files of a conversation are read
unread-kind = it is no text, picture or PDF
unread-foreign = it is not kept by Discord
unread-gone = Discord does not have it any more
unread-unreachable = Discord did not deliver it in time
unread-busy = too many files are being read at once
unread-locked = it is locked with a password
unread-broken = it is a PDF that I cannot understand
unread-no-text = there is no text in it, only pictures of pages
unread-no-room = there was no room left for it

## Around chats.

queued = Waiting: other answers are being written here, yours comes next.
no-embeds = I lack the permission Embed Links here: answers are shorter from now on, and this one may be cut.
no-threads = I would open a thread for each conversation here, and lack the permissions Create Public Threads and Send Messages in Threads. I answer in the channel until somebody gives them to me.
nameless-thread = Conversation
interrupted = interrupted: ask again
too-many-questions = You have asked { $count } questions within an hour, which is the limit here; you can go on { $again }.
not-yours = Only the person who asked, whoever may manage messages here, and my operators can do this.
not-yours-to-stop = Only the person who asked, whoever may manage messages here, and my operators can stop this.
still-running = I am answering this question right now; wait for the end, or stop me first.
question-gone = The question is gone, so I cannot answer it again.
question-unreadable = I cannot read the question at the moment. Please click again later.
old-button = This button is from an older version of me; please ask again.
old-form = This form is from an older version of me; please open it again.
unsure = I could not check in time whether I may answer here. Please try again.
restarting = I am restarting. Please ask again in a moment.
apology = Something went wrong on my side; please try again. If it keeps happening, tell an operator this id.

## Labels of buttons: at most 80 characters.

button-stop = Stop
button-regenerate = Regenerate
button-continue = Continue
button-retry = Retry
button-run-again = Run again with the changed question

## Who is not served, and why.

not-available = I am not available to you here.
role-needed = You need one of the roles that may chat with me here; ask a moderator.
server-unchecked = I could not check who manages this server just now; please try again in a minute.
server-unserved = This server is not served yet: an operator of mine has to add `{ $server }` to `ALLOWED_GUILD_IDS`, or to hold Manage Server here.
direct-operators-only = I answer direct messages of my operators only; mention me in a server that we share.
direct-nobody = I do not answer direct messages; mention me in a server that we share.
operators-only = Credentials are the business of my operators: the application's owner, its team, and the people in `OPERATOR_IDS`. Ask one of them; `/help` shows what you can do.

## /help

how-to = Mention { $bot } with a question, or reply to one of my messages to go on from there; in direct messages just write.
how-to-stop = While I answer, a button stops me.
help-commands = `/settings status` shows which model answers here, `/settings model` chooses another, `/settings persona` how I speak. `/reset` begins a new conversation.
help-operators = As an operator: `/settings oauth-status` shows every credential, `/settings oauth-refresh` gets new tokens.

## /reset

reset-done = Your next message here begins a new conversation. A reply to an older message still continues that one.
