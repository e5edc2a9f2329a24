### Was Cortana in Discord auf Deutsch sagt. Die Vorlage ist en.ftl; die Wörter stehen in CONTRIBUTING, „Words in German“.

## Warum es keine Antwort gibt. Was auf -operator endet, liest, wer den Bot betreibt.

failure-nothing-configured = Es ist noch kein Zugang eingerichtet, deshalb erreiche ich kein Modell. Bitte sag der Person Bescheid, die diesen Bot betreibt.
failure-nothing-configured-operator = Es ist kein Zugang eingerichtet: Leg eine Zugangsdatei in den Ordner `credentials`, oder setze `GEMINI_CLI_OAUTH_CREDENTIALS`, `QWEN_CODE_OAUTH_CREDENTIALS` oder einen API-Schlüssel wie `OPENAI_API_KEY`. Eine Datei zählt nach wenigen Sekunden, eine Variable erst nach einem Neustart.
failure-needs-operator = Keines meiner Konten kann gerade antworten, ohne dass sich jemand darum kümmert. Bitte sag der Person Bescheid, die diesen Bot betreibt.
failure-needs-operator-operator = Alle Konten brauchen dich: `/settings oauth-status` zeigt, wo eine Anmeldung, eine Lizenz oder eine Zustimmung fehlt.
failure-resting = Alle Konten haben gerade Pause; das erste ist { $until } zurück. Bitte frag dann noch einmal.
failure-capacity = Das Modell ist im Moment für alle überlastet. Versuch es in einer Minute noch einmal, oder nimm ein anderes Modell.
failure-too-long = Diese Unterhaltung ist zu lang für das Modell. Bitte fang eine neue an, oder schick weniger Text auf einmal.
failure-blocked = Der Sicherheitsfilter des Anbieters hat das abgelehnt. Bitte formulier es anders.
failure-bad-request = Der Anbieter hat diese Anfrage abgelehnt, und noch einmal zu fragen hilft nicht. Bitte ändere die Frage, oder gib die ID unten an die Person weiter, die diesen Bot betreibt.
failure-bad-request-operator = Der Anbieter hat die Anfrage als fehlerhaft abgelehnt; noch einmal zu fragen hilft nicht. Im Log steht sie unter der ID unten.
failure-unknown-model = Der Anbieter hat dieses Modell nicht. Bitte nimm ein anderes.
failure-unknown-model-operator = Der Anbieter hat dieses Modell nicht. Bitte nimm ein anderes, oder berichtige `DEFAULT_MODEL`.
failure-provider-down = Der Anbieter antwortet gerade nicht richtig. Bitte versuch es in ein paar Minuten noch einmal.
failure-deadline = Das Modell hat nicht rechtzeitig angefangen zu antworten. Bitte versuch es noch einmal.
failure-interrupted = Hier ist die Antwort abgebrochen. Lass mich weiterschreiben, oder frag noch einmal.
failure-malformed = Der Anbieter hat eine Antwort geschickt, die ich nicht lesen konnte. Bitte versuch es noch einmal.
failure-empty = Das Modell hat eine leere Antwort geschickt. Versuch es noch einmal, oder formulier die Frage anders.
failure-client-version = Der Anbieter verlangt, dass dieser Bot aktualisiert wird. Bitte sag der Person Bescheid, die ihn betreibt.
failure-client-version-operator = Der Anbieter verlangt für alle Konten eine neuere Version seines Programms: Aktualisiere den Bot, oder setze die Variable `_USER_AGENT` des Anbieters (`ANTIGRAVITY_USER_AGENT`) auf einen Wert, den er annimmt, sofern seine Bedingungen das erlauben.

## Kleine Zeilen um eine Antwort.

notice-fallback = Geantwortet hat { $used }, weil { $wanted } nicht verfügbar war.
notice-no-pictures = { $model } kann keine Bilder sehen, deshalb ist das ohne sie beantwortet.
notice-no-gifs = { $model } kann keine GIFs sehen, deshalb ist das ohne sie beantwortet.
notice-resting = Alle Konten haben gerade Pause, weiter geht es { $until }. Dann antworte ich.
ending-length = Die Antwort hat die Höchstlänge erreicht. Lass mich weiterschreiben, oder bitte um etwas Kürzeres.
ending-filtered = Der Sicherheitsfilter des Anbieters hat die Antwort hier beendet ({ $code }).
ending-other = Die Antwort endete zu früh ({ $code }).
thinking = Ich denke nach …
stopped = Angehalten.
drained = Ich starte gerade neu, deshalb endet diese Antwort hier. Bitte frag gleich noch einmal.
# Diese drei stehen unter einer Antwort von voller Länge: höchstens 75 Zeichen.
file-later = Der Rest kommt als Datei, sobald die Antwort fertig ist.
file-attached = Der Rest der Antwort steht in der angehängten Datei.
file-refused = Der Rest fehlt: Ich darf hier keine Dateien anhängen.

## Dateien, die nicht gelesen wurden. Der erste Satz enthält einen der anderen.

unread = Ich habe { $name } nicht gelesen: { $why }.
unread-too-large = sie ist größer als { $limit }
unread-too-many = nur die neuesten Dateien einer Unterhaltung werden gelesen
unread-kind = sie ist weder Text noch Bild noch PDF
unread-foreign = sie liegt nicht bei Discord
unread-gone = Discord hat sie nicht mehr
unread-unreachable = Discord hat sie nicht rechtzeitig geliefert
unread-busy = es werden gerade zu viele Dateien auf einmal gelesen
unread-locked = sie ist mit einem Passwort geschützt
unread-broken = sie ist ein PDF, das ich nicht verstehe
unread-no-text = es steht kein Text darin, nur Bilder von Seiten
unread-no-room = dafür war kein Platz mehr

## Rund um Unterhaltungen.

queued = Einen Moment: Hier werden gerade andere Antworten geschrieben, deine kommt als Nächste.
no-embeds = Mir fehlt hier die Berechtigung „Links einbetten“: Antworten sind ab jetzt kürzer, und diese ist vielleicht abgeschnitten.
no-threads = Ich würde hier für jede Unterhaltung einen Thread öffnen, mir fehlen aber die Berechtigungen „Öffentliche Threads erstellen“ und „Nachrichten in Threads senden“. Bis ich sie bekomme, antworte ich im Kanal.
nameless-thread = Unterhaltung
interrupted = unterbrochen: bitte frag noch einmal
too-many-questions = Du hast in einer Stunde { $count } Fragen gestellt, mehr gehen hier nicht; weiter geht es { $again }.
not-yours = Das kann nur, wer gefragt hat, wer hier Nachrichten verwalten darf oder wer diesen Bot betreibt.
not-yours-to-stop = Anhalten kann mich nur, wer gefragt hat, wer hier Nachrichten verwalten darf oder wer diesen Bot betreibt.
still-running = Ich beantworte diese Frage gerade; warte bis zum Ende, oder halte mich zuerst an.
question-gone = Die Frage ist nicht mehr da, deshalb kann ich sie nicht noch einmal beantworten.
question-unreadable = Ich kann die Frage gerade nicht lesen. Bitte klick später noch einmal.
old-button = Diese Schaltfläche stammt von einer älteren Version von mir; bitte frag noch einmal.
old-form = Dieses Formular stammt von einer älteren Version von mir; bitte öffne es noch einmal.
unsure = Ich konnte nicht rechtzeitig prüfen, ob ich hier antworten darf. Bitte versuch es noch einmal.
restarting = Ich starte gerade neu. Bitte frag gleich noch einmal.
apology = Da ist bei mir etwas schiefgegangen; bitte versuch es noch einmal. Wenn es immer wieder passiert, gib diese ID an die Person weiter, die den Bot betreibt.

## Beschriftungen von Schaltflächen: höchstens 80 Zeichen.

button-stop = Anhalten
button-regenerate = Neu antworten
button-continue = Weiterschreiben
button-retry = Noch einmal
button-run-again = Die geänderte Frage beantworten

## Wer nicht bedient wird, und warum.

not-available = Hier bin ich für dich nicht da.
role-needed = Dafür brauchst du eine der Rollen, die hier mit mir schreiben dürfen; frag jemanden aus der Moderation.
server-unchecked = Ich konnte gerade nicht nachsehen, wer diesen Server verwaltet; bitte versuch es in einer Minute noch einmal.
server-unserved = Dieser Server wird noch nicht bedient: Wer mich betreibt, muss `{ $server }` in `ALLOWED_GUILD_IDS` eintragen oder hier „Server verwalten“ dürfen.
direct-operators-only = Auf Direktnachrichten antworte ich nur denen, die mich betreiben; erwähne mich auf einem Server, auf dem wir beide sind.
direct-nobody = Auf Direktnachrichten antworte ich nicht; erwähne mich auf einem Server, auf dem wir beide sind.
operators-only = Um die Zugänge kümmern sich nur die, die mich betreiben: wem die Anwendung gehört, das Team und die Leute in `OPERATOR_IDS`. Frag bei ihnen nach; `/help` zeigt, was du tun kannst.

## /help

how-to = Erwähne { $bot } mit einer Frage, oder antworte auf eine meiner Nachrichten, um dort weiterzumachen; in Direktnachrichten schreib einfach los.
how-to-stop = Während ich antworte, kannst du mich mit einer Schaltfläche anhalten.
help-commands = `/settings status` zeigt, welches Modell hier antwortet, `/settings model` wählt ein anderes, `/settings persona`, wie ich spreche. `/reset` beginnt eine neue Unterhaltung.
help-operators = Für dich als Betreiber: `/settings oauth-status` zeigt alle Zugänge, `/settings oauth-refresh` holt neue Tokens.

## /reset

reset-done = Deine nächste Nachricht hier beginnt eine neue Unterhaltung. Eine Antwort auf eine ältere Nachricht setzt weiterhin die alte fort.
