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
out-of-time = Discord closes this answer a quarter of an hour after its command, so it ends here. Ask for the rest with `/chat`.
interrupted = Interrupted: I was restarted before I could finish.
too-many-questions = You have asked { $count } questions within an hour, which is the limit here; you can go on { $again }.
too-many-tokens = Your questions and their answers came to { $count } tokens within a day, which is the limit here; you can go on { $again }.
too-many-questions-of-server = This server has asked { $count } questions within an hour, which is its limit; it can go on { $again }.
too-many-tokens-of-server = The questions of this server came to { $count } tokens within a day, which is its limit; it can go on { $again }.
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
not-listed = I answer a few people only, and you are not among them; ask whoever runs me.
server-unchecked = I could not check who manages this server just now; please try again in a minute.
server-unserved = This server is not served yet: an operator of mine has to add `{ $server }` to `ALLOWED_GUILD_IDS`, or to hold Manage Server here.
direct-operators-only = I answer direct messages of my operators only; mention me in a server that we share.
direct-nobody = I do not answer direct messages; mention me in a server that we share.
operators-only = Credentials are the business of my operators: the application's owner, its team, and the people in `OPERATOR_IDS`. Ask one of them; `/help` shows what you can do.

## /help

how-to = Mention { $bot } with a question, or reply to one of my messages to go on from there; in direct messages just write.
how-to-stop = While I answer, a button stops me.
help-chat = asks me too, and the answer can be for you alone.
help-menu = In the menu of a message, under *Apps*: **Ask Cortana** lets me answer it, **Summarise from here** tells you what was said since.
help-stop = ends what I am answering you here.
help-reset = begins a new conversation.
help-choose = choose who answers you, and how I speak.
help-status = shows which of it applies here, and why.
help-whoami = show what applies to you, and what is left of your limits.
help-as-manager = As you manage this server
help-choose-for-all = with `for` choose for everybody in a channel or on this server.
help-as-operator = As my operator
help-oauth-status = shows every credential and how it is.
help-oauth-refresh = gets new tokens.
help-oauth-connect = logs me in somewhere.

## /whoami and /usage

who-you-are = You are { $mention }, { $id }.
rights-operator = You are one of my operators: credentials, alerts and every choice are yours.
rights-manager = You manage this server: you may choose models and personas for it and its channels.
rights-own = You may choose models and personas for yourself.
not-served = I do not answer you here.
served-direct = I answer you in direct messages.
served-all = I answer everybody on this server.
served-channel = I answer you here: this channel is one of those in which I answer.
served-role = I answer you here: you hold a role that may ask me.
served-channel-and-role = I answer you here: this channel is one of those in which I answer, and you hold a role that may ask me.
usage-unlimited = There is no limit for your questions.
usage-questions = You asked { $asked } of { $limit } questions within the last hour: { $left } left.
usage-tokens = You used { $used } of { $limit } tokens within the last day.
usage-next = There is more { $when }.

## The menu of a message

no-history-for-you = You may not read back here, so I do not either.
nothing-since = There is nothing that I can read from that message on.
heading-since =
    { $count ->
        [one] { $count } message from { $author } on
       *[other] { $count } messages from { $author } on
    }
more-since = More was said since; this is the first part.

## /stop

stop-nothing = I am not writing anything here.
stop-nothing-of-yours = I am writing nothing for you here. What I write for others they stop themselves, or whoever may manage messages.
stop-done = { $count ->
    [one] Stopped one answer:
   *[other] Stopped { $count } answers:
}
stop-to-you = to you: { $question }
stop-to-other = to { $person }: { $question }
stop-more = and { $count } more

## /reset

reset-done = Your next message here begins a new conversation. A reply to an older message still continues that one.

## Who a choice is for, behind "for", and whose a persona is, in brackets.

for-you = you
for-this-thread = this thread
for-this-channel = this channel
for-this-server = this server
whose-bots = of the bot
whose-servers = of this server
whose-own = your own
no-thread = This is no thread; choose for the channel, or for yourself.
direct-for-yourself = In direct messages you can choose for yourself alone.
choosing-needs-permission = Choosing for { $whom } needs the permission to manage the server. You can choose for yourself: leave out `for`.
choice-maybe-unkept = Your choice may not have been saved: `/settings status` shows in a while whether it holds. Try again in a minute; if it stays so, tell an operator the id `{ $id }`.
choice-unkept = Your choice could not be saved, and nothing changed. Try again in a minute; if it stays so, tell an operator the id `{ $id }`.

## /settings status

no-credentials = No OAuth credentials configured.
status-credentials = Credentials: { $summary }
status-answers = Answers in progress: { $count }
passed-over = Chosen for { $whom }, without effect here: `{ $what }` — { $why }.
persona-passed-over = Persona chosen for { $whom }, without effect here: `{ $name }` — { $why }.
passed-nearer = what stands above is nearer to you
passed-not-offered = my operators no longer offer it; choose another with `/settings model`
passed-gone = there is no such model any more; choose another with `/settings model`
passed-no-persona = there is no such persona here; choose another with `/settings persona`

## /settings model, /settings provider, /settings models

chose = Chose { $what } for { $whom }.
answers-from-now-on = It answers you here from now on.
choice-taken-back = There is no choice for { $whom } any more.
take-back = take the choice back
model-ready = ready
model-resting = resting
ability-images = sees images
ability-context = { $tokens } context
ability-tools = tools
model-answers-chosen = `{ $model }` answers you here, because it was chosen for { $whom }.
model-answers-default = `{ $model }` answers you here: nobody chose another, so my default applies.
no-model-answers = No model can answer just now, and nobody chose one here.
nothing-on-offer = No model can be chosen here: my operators have not given me a credential whose models they offer.
no-such-model = There is no model `{ $name }`.
no-such-provider = There is no provider `{ $name }`.
providers-known = I know { $known }.
providers-there = There is { $known }.
did-you-mean = Did you mean `{ $name }`?
did-you-mean-one-of = Did you mean `{ $names }` or `{ $last }`?
models-lists = `/settings models` lists what you can choose.
provider-without-credential = Nobody here has a credential for **{ $provider }**.
provider-not-offered = My operators do not offer the default model of **{ $provider }** here; `/settings models provider:{ $provider }` shows what you can choose.
no-model-contains = No model's name contains `{ $filter }`.
no-model-of = There is no model of **{ $provider }** to choose here: no credential, or none is offered.
picker-for = For { $whom }
picker-whom = For whom
picker-provider = Provider
picker-model = Model
button-take-back = Take the choice back
button-more-models = More models
button-back = Back
button-next = Next
models-title = Models
models-title-of = Models of { $provider }
models-footer =
    { $count ->
        [one] Page { $page } of { $pages } · { $count } model · /settings model chooses
       *[other] Page { $page } of { $pages } · { $count } models · /settings model chooses
    }
answers-here = answers here
origin-configured = configured
origin-listed = listed
listed-at = **{ $provider }** listed them { $at }

## /settings models hub:…

hub-operators-only = Searching Hugging Face's hub is the business of my operators, who run the models. `/settings models` without `hub` lists what you can choose.
hub-nothing = No model with GGUF files has a name that contains `{ $query }`.
hub-title = GGUF models on the hub
hub-footer = cortana hf pull OWNER/MODEL FILE fetches one; see docs/local-models.md
hub-counts = { $downloads } downloads · { $likes } likes
hub-private = private
hub-gated = gated, to be accepted on its page
hub-no-file = no GGUF file
hub-files = { $count } files, from { $first } to { $last }
hub-unknown-size = unknown size
hub-memory = memory { $size }

## /settings persona

persona-form = A persona for { $whom }
persona-form-name = Name
persona-form-name-example = pirate
persona-form-text = How shall I speak? Empty: delete it
persona-form-text-example = You are a pirate captain. Answer in verse.
persona-name-bad = A persona's name is 1 to 40 ordinary characters on one line, and not `default`.
persona-direct-own = In direct messages you can write personas for yourself alone.
personas-full = There are { $count } personas ({ $whose }) already. Delete one: its name, and no text.
persona-deleted = There is no persona `{ $name }` ({ $whose }) any more.
no-such-persona = There is no persona `{ $name }` to choose here.
persona-leave-out = Leave the name out to write one.
persona-own-alone = The persona `{ $name }` ({ $whose }) cannot be chosen for { $whom }: you alone may change it. Leave out `for` to choose it for yourself.
persona-servers-alone = The persona `{ $name }` ({ $whose }) cannot be chosen for { $whom }: your choice holds in every server. Whoever may manage this one can choose it with `for`; leave the name out to write one of your own.
persona-taken-back = There is no persona for { $whom } any more.
chose-persona = Chose the persona `{ $name }` for { $whom }.
persona-none = I speak as myself here: no persona is chosen.
persona-applies = I speak as `{ $name }` ({ $whose }) here, because that was chosen for { $whom }.

## States of credentials: as a heading, and in the middle of a line. The signs before them stand in the code.

state-ready = Valid
state-early = Expiring
state-refreshing = Refreshing
state-expired = EXPIRED
state-cooling = Cooling down
state-needs-login = Needs login
state-refused = Refused by the service
state-disabled = Disabled
state-unusable = Unusable
word-ready = valid
word-early = expiring
word-refreshing = refreshing
word-expired = expired
word-cooling = cooling down
word-needs-login = needs login
word-refused = refused by the service
word-disabled = disabled
word-unusable = unusable

## /settings oauth-status and /settings credential

credentials-count =
    { $count ->
        [one] { $count } credential
       *[other] { $count } credentials
    }
credentials-title = Credentials
credentials-title-of = Credentials of { $provider }
page = Page { $page } of { $pages }
no-credentials-of = No OAuth credentials configured for **{ $provider }**.
no-credentials-next = Put a credential file into the folder of `CREDENTIALS_DIR` (`credentials/`), or set `{ $variable }` to a path or to the JSON itself. Files are found within two seconds, without a restart; `cortana doctor` says what is missing.
no-such-credential = There is no credential `{ $id }`; choose one of the list that appears while you type.
no-such-credential-of = **{ $provider }** has no such credential; choose one of the list, or leave the field out.
credential-gone = There is no credential `{ $id }` any more: its file or variable went away, or it holds another login now. `/settings oauth-status` shows what there is.
unknown = unknown
unknown-provider = unknown provider
unsaved = Cannot save: the last write failed; the token lives in memory
rests-until = Rests, back { $until }
model-rests = `{ $model }` rests, back { $until } ({ $why })
waits-for-lock = Waiting for a lock that { $holder } holds
dialect-in-place = { $dialect } in { $place }
requests =
    { $count ->
        [one] { $count } request
       *[other] { $count } requests
    }
never-used = never used
used-at = used { $at }
in-flight = { $count } in flight
quota-line = Quota: { $left }, as of { $at }
quota-nothing = nothing
quota-almost-nothing = less than 1 %
quota-left = { $left } of `{ $what }` left
quota-resets = resets { $at }
no-expiry-known = No expiry known
expires-in = Expires in { $left } ({ $at })
expired-ago = Expired { $ago } ago ({ $at })
not-refreshed = Not refreshed since the start
last-refresh-succeeded = Last refresh { $at }: succeeded
last-refresh-failed = Last refresh { $at }: failed ({ $why })
attempts =
    { $count ->
        [one] { $count } attempt
       *[other] { $count } attempts
    }
# What became of a provider; the note itself is the provider's row, in English.
lifecycle = **{ $provider }**, since { $since }: { $note }
pick-credential = Look at one credential, or act on it
choice-no-expiry = no expiry
choice-expires-minutes = expires in { $minutes } min
choice-expires-hours = expires in { $hours } h
card-expires = Expires
card-last-refresh = Last refresh
card-use = Use
card-rests = Rests
card-rests-until = until { $at } ({ $left })
card-models = Models that rest
card-quota = Quota
card-saving = Saving
card-lock = Lock
card-lock-held = held by { $holder }
card-link = The service asks you to open
card-where = Where
card-id = Id
nothing-to-do = Nothing to do.
and-more = and { $count } more
as-of = As of { $at }
refused-token-question = The refresh token of { $name } was refused. It is never sent again by itself: services take that for an attack. Send it once more only if you know that it was refused by mistake.
button-refresh = Refresh now
button-disable = Disable
button-enable = Enable
button-clear-cooldown = Clear cooldown
button-try-refused = Try the refused token once more
button-send-once-more = Send it once more
button-leave = Leave it
button-all-credentials = All credentials
button-log-in-again = Log in again
disabled-now = Disabled. Requests that are under way finish.
still-disabled = It is still disabled, for the reason below.
enabled-now = Enabled.
rests-no-longer = It rests no longer.

## /settings oauth-refresh

nothing-to-refresh = No OAuth credentials configured for **{ $provider }**: nothing to refresh.
refresh-failed = Failed to refresh token for **{ $provider }**
refreshed-some = Refreshed { $fresh } of { $all } tokens for **{ $provider }**
refreshed = Successfully refreshed token for **{ $provider }**
refreshed-nothing = Nothing was refreshed for **{ $provider }**
expiry-untold = no expiry told
expires-at = expires { $at }
line-refreshed = Refreshed: { $account }, { $expiry }
line-adopted = Adopted: { $account }, a newer token stood in its file, { $expiry }
line-unchanged = Unchanged: { $account } is an API key and never expires
line-disabled = Disabled: { $account }, { $why }
line-too-soon = Waiting: { $account } was refreshed less than a minute ago, again { $until }
line-failed = Failed: { $account }, { $why }
refused-before = this refresh token was refused before and is not sent again
button-try-account = Try { $account } once more
what-you-can-do = What you can do:
tip-log-in = Log in again: `/settings oauth-connect { $provider }` here, `cortana login { $provider }` on the host, or the provider's own program, whose new file goes into the credentials folder. It counts within two seconds, without a restart.
tip-send-once-more = If you know that the refusal was a mistake, the button sends the same token once more.
tip-link = If another program uses this login too, its file may hold the newer token: link to that file instead of a copy.
tip-check-client = Check `{ $prefix }_CLIENT_ID` and `{ $prefix }_CLIENT_SECRET`.
tip-tokens-client = A token works only with the client that it was issued to: log in again after changing the client.
tip-set-variables = Set { $variables } in the environment and restart.
tip-try-again = Try again in { $wait }; a token that is still valid is served meanwhile.
a-few-minutes = a few minutes
tip-check-network = Check that this host reaches the token endpoint (network, `HTTPS_PROXY`).
tip-tried-again = Try again in a few minutes; it is tried by itself too, with growing pauses.
tip-doctor = If it stays, run `cortana doctor` on the host.
tip-foreign-host = If you trust this host, name it yourself: `{ $prefix }_TOKEN_ENDPOINT` or `{ $prefix }_API_BASE`.
tip-account-refused = The login is fine, the service refuses the account: check its licence, region and terms.
tip-open-link = The service asks you to open { $link }.
tip-file-gone = Put the file back, or ignore this: it leaves the list by itself.
tip-file-unreadable = Open the file and mend it, or log in again; it is never overwritten while it cannot be read.
tip-locked = Another process refreshes the same login: try again in a minute, its result is adopted.
tip-not-writable = No token was spent. To mend it: { $remedy }.
tip-not-saved = Free disk space or mend the permissions soon: the new token lives in memory until it can be saved.

## /settings oauth-connect

connect-no-login = **{ $name }** has no login that can be made here; `cortana login { $provider }` on the host says what it takes.
connect-no-client = { $why }. docs/providers.md says where a client comes from.
connect-cannot-keep = { $why }; nobody was asked.
connect-open = [Open the page of { $name }](<{ $address }>) and log in.
connect-copy = In the end your browser shows an address that it cannot open, or a page with a code: copy the whole address.
connect-paste = Paste it with the button, within five minutes.
connect-confirm-code = Confirm the code `{ $code }` there, within five minutes. This message changes when it is done.
connect-address-too-long = The address is too long for Discord; run `cortana login { $provider } --no-browser` on the host.
connect-form = The whole address, or the code
connect-paste-again = { $why }. Paste it again.
connect-somebody-elses = Somebody else began this login; begin your own with `/settings oauth-connect`.
connect-over = This login is over: it was answered, or its five minutes are. Begin anew with `/settings oauth-connect`.
connect-stopped = I was stopped meanwhile; nothing was kept. Begin anew with `/settings oauth-connect`.
connect-not-kept = Not logged in at { $name }: { $why }.
connect-failed = Not logged in at { $name }: { $why }. Nothing was kept.
connected = Logged in at **{ $name }** as { $account }.
connect-not-granted = Not granted, though asked for: { $scopes }
connect-terms = Not used yet: set `ACCEPT_PROVIDER_TERMS={ $provider }` if you accept the terms.
button-log-in = Log in
button-paste = Paste the address

## /settings oauth-disconnect

log-out-question = End the login of { $name }? It ends for other programs that share it too, and { $place } is removed.
button-log-out = Log out and remove
not-logged-out = { $name } was not logged out: { $why }.
not-logged-out-file = { $name } was not logged out: { $why }. Its file is as it was.
logged-out = Logged out { $name }: { $how }. { $place } is removed.
logged-out-now = ended at { $at }
logged-out-before = { $at } had ended it before
logged-out-not-offered = { $at } has no address to end it at: it lives on there until it expires, or its owner ends it on the account's page
logged-out-in-part = { $name } is logged out in part: { $why }.

## Alerts to operators. What stands behind the colon of the first five is what the log says, in English.

alert-needs-login = { $who } needs a login
alert-refused = { $who } is refused by the service
alert-refresh-failing = { $who } is about to expire, or has, and its refresh fails
alert-unsaved = { $who } has a new token that could not be saved
alert-few-healthy = too few credentials can be lent
alert-over = Over after { $minutes } min: { $what }
alert-over-gone = Over: credential `{ $id }` is not configured any more.
alert-intent = Discord refuses me the Message Content intent: I answer mentions, replies with a ping and direct messages alone.
alert-intent-next = switch it on under "Bot" at <https://discord.com/developers/applications>, and restart me.
alert-intent-over = Discord grants me the Message Content intent again.
alert-next = Next: { $what }
alert-next-status = `/settings oauth-status` shows what each one needs.
alert-next-login = log in as it says; `/settings credential { $id }` shows it, with its buttons.
alert-next-link = the account's owner, and nobody else, opens { $link }; then enable it with `/settings credential { $id }`.
alert-next-refused = `/settings credential { $id }` shows what the service said, and enables it again.
alert-next-card = `/settings credential { $id }` shows why.
alert-next-refresh = `/settings oauth-refresh { $provider }` tries now; `/settings credential { $id }` shows why.
alert-next-doctor = `cortana doctor` on the machine says who may write where.
alert-more = and { $count } more: `/settings oauth-status` shows all.
alert-footer = For operators; `ALERT_OPERATORS=off` ends these messages.

## Commands. The name: small letters, digits and dashes, 32 at most. Descriptions: 100 characters. English stands in the code
## too, which a test compares; the other languages show theirs in Discord.

command-help = help
    .description = What I can do for you here
command-whoami = whoami
    .description = Who you are to me, what you may do, and what applies to you here
command-usage = usage
    .description = What you have used, and what is left
command-menu-ask-cortana = Ask Cortana
command-menu-summarise-from-here = Summarise from here
command-reset = reset
    .description = Begin afresh: what was said here before is not continued
command-stop = stop
    .description = Stop what I am writing for you here; whoever may manage messages stops everybody's
command-settings = settings
    .description = Models, personas and credentials of this bot
command-settings-status = status
    .description = Show which model and persona answer here and how the bot is doing
command-settings-model = model
    .description = Choose the model that answers; without a name, from menus
    .option-model = model
    .option-model-description = Which; "default" takes a choice back
    .option-for = for
    .option-for-description = For whom; you alone without it
    .choice-for-me-everywhere = me, everywhere
    .choice-for-this-thread = this thread
    .choice-for-this-channel = this channel
    .choice-for-this-server = this server
command-settings-provider = provider
    .description = Choose the provider whose default model answers
    .option-provider = provider
    .option-provider-description = Which; "default" takes a choice back
    .option-for = for
    .option-for-description = For whom; you alone without it
    .choice-for-me-everywhere = me, everywhere
    .choice-for-this-thread = this thread
    .choice-for-this-channel = this channel
    .choice-for-this-server = this server
command-settings-models = models
    .description = List the models that you can choose
    .option-provider = provider
    .option-provider-description = Only this provider's
    .option-filter = filter
    .option-filter-description = A part of the name
    .option-hub = hub
    .option-hub-description = Operators: search Hugging Face's hub for GGUF models instead
command-settings-persona = persona
    .description = Choose how I speak; without a name, write a persona of your own
    .option-persona = persona
    .option-persona-description = Which; "default" takes a choice back; nothing opens a form to write one
    .option-for = for
    .option-for-description = For whom; you alone without it
    .choice-for-me-everywhere = me, everywhere
    .choice-for-this-thread = this thread
    .choice-for-this-channel = this channel
    .choice-for-this-server = this server
command-settings-tools = tools
    .description = Let models call tools in this server or in direct messages (operators)
    .option-switch = switch
    .option-switch-description = Whether they may; only shown without
    .choice-switch-on = on
    .choice-switch-off = off

command-settings-oauth-status = oauth-status
    .description = Show the state of the credentials (operators)
    .option-provider = provider
    .option-provider-description = Only this provider's
command-settings-oauth-refresh = oauth-refresh
    .description = Get new tokens now (operators)
    .option-provider = provider
    .option-provider-description = Whose tokens
    .option-credential = credential
    .option-credential-description = Only this credential
command-settings-oauth-connect = oauth-connect
    .description = Log in at a provider and keep the login (operators)
    .option-provider = provider
    .option-provider-description = Where
    .option-way = way
    .option-way-description = How; what the provider has, unless said
    .choice-way-in-a-browser = in a browser
    .choice-way-by-a-code = by a code
command-settings-oauth-disconnect = oauth-disconnect
    .description = End a login at its provider and remove its file (operators)
    .option-credential = credential
    .option-credential-description = Which
command-settings-credential = credential
    .description = Look at one credential, and disable, enable or unrest it (operators)
    .option-credential = credential
    .option-credential-description = Which
    .option-action = action
    .option-action-description = What to do about it; only shown without
    .choice-action-show = show
    .choice-action-disable = disable
    .choice-action-enable = enable
    .choice-action-clear-cooldown = clear cooldown
    .choice-action-try-a-refused-token-once-more = try a refused token once more
    .option-reason = reason
    .option-reason-description = Why, for the log; shown with a disabled credential
command-chat = chat
    .description = Ask me something
    .option-text = text
    .option-text-description = Your question
    .option-file = file
    .option-file-description = A picture, a text or a PDF that it is about
    .option-model = model
    .option-model-description = Who answers this one question
    .option-seen-by = seen-by
    .option-seen-by-description = Who sees the answer; everyone here without it
    .choice-seen-by-everyone-here = everyone here
    .choice-seen-by-only-me = only me

## Tools that models call.

tool-calling = Calling { $call } …
tool-asking = I would like to call { $call }, which changes something. **Allow it?** Only whoever asked can say so; I wait five minutes.
tool-failed = failed
tool-denied = not allowed
tool-unanswered = nobody allowed it
tool-broken = broken off, it may have been done
tool-more = { $count } more
tool-spent = Rounds of calls for this answer: { $steps }, the most that I may make. I answered with what I had.
tool-not-yours = Only the person who asked can allow or deny this call.
tool-over = This call does not wait for you any more.
button-allow = Allow
button-deny = Deny

## /settings tools

tools-on-server = Models may call tools in this server. `/settings tools switch:off` ends that.
tools-on-direct = Models may call tools in direct messages, with everybody whom I answer there. `/settings tools switch:off` ends that.
tools-off-server = Models call no tools in this server. `/settings tools switch:on` lets them.
tools-off-direct = Models call no tools in direct messages. `/settings tools switch:on` lets them, with everybody whom I answer there.
tools-none = No program with tools is configured: name one under `[[tools.server]]` in `cortana.toml`; docs/tools.md leads there.
tools-starting = **{ $server }** is starting
tools-down = **{ $server }** does not run: { $why }
tools-nothing-allowed = **{ $server }** has no tool that is allowed
