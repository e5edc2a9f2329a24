### Was Cortana in Discord auf Deutsch sagt. Die Vorlage ist en.ftl; die Wörter stehen in CONTRIBUTING, „Words in German“.

## Warum es keine Antwort gibt. Was auf -operator endet, liest, wer den Bot betreibt.

failure-nothing-configured = Es ist noch kein Zugang eingerichtet, deshalb erreiche ich kein Modell. Bitte sag der Person Bescheid, die diesen Bot betreibt.
failure-nothing-configured-operator = Es ist kein Zugang eingerichtet: Leg eine Zugangsdatei in den Ordner `credentials`, oder setze `GEMINI_CLI_OAUTH_CREDENTIALS`, `QWEN_CODE_OAUTH_CREDENTIALS` oder einen API-Schlüssel wie `OPENAI_API_KEY`. Eine Datei zählt nach wenigen Sekunden, eine Variable erst nach einem Neustart.
failure-needs-operator = Keines meiner Konten kann gerade antworten, ohne dass sich jemand darum kümmert. Bitte sag der Person Bescheid, die diesen Bot betreibt.
failure-needs-operator-operator = Alle Konten brauchen dich: `/einstellungen oauth-status` zeigt, wo eine Anmeldung, eine Lizenz oder eine Zustimmung fehlt.
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
out-of-time = Discord schließt diese Antwort eine Viertelstunde nach ihrem Befehl, deshalb endet sie hier. Frag mit `/frag` nach dem Rest.
interrupted = Unterbrochen: Ich wurde neu gestartet, bevor ich fertig war.
too-many-questions = Du hast in einer Stunde { $count } Fragen gestellt, mehr gehen hier nicht; weiter geht es { $again }.
too-many-tokens = Deine Fragen und ihre Antworten haben an einem Tag { $count } Tokens gebraucht, mehr gehen hier nicht; weiter geht es { $again }.
too-many-questions-of-server = Dieser Server hat in einer Stunde { $count } Fragen gestellt, mehr hat er nicht; weiter geht es { $again }.
too-many-tokens-of-server = Die Fragen dieses Servers haben an einem Tag { $count } Tokens gebraucht, mehr hat er nicht; weiter geht es { $again }.
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
not-listed = Ich antworte nur einigen Leuten, und du gehörst nicht dazu; frag, wer mich betreibt.
server-unchecked = Ich konnte gerade nicht nachsehen, wer diesen Server verwaltet; bitte versuch es in einer Minute noch einmal.
server-unserved = Dieser Server wird noch nicht bedient: Wer mich betreibt, muss `{ $server }` in `ALLOWED_GUILD_IDS` eintragen oder hier „Server verwalten“ dürfen.
direct-operators-only = Auf Direktnachrichten antworte ich nur denen, die mich betreiben; erwähne mich auf einem Server, auf dem wir beide sind.
direct-nobody = Auf Direktnachrichten antworte ich nicht; erwähne mich auf einem Server, auf dem wir beide sind.
operators-only = Um die Zugänge kümmern sich nur die, die mich betreiben: wem die Anwendung gehört, das Team und die Leute in `OPERATOR_IDS`. Frag bei ihnen nach; `/hilfe` zeigt, was du tun kannst.

## /hilfe

how-to = Erwähne { $bot } mit einer Frage, oder antworte auf eine meiner Nachrichten, um dort weiterzumachen; in Direktnachrichten schreib einfach los.
how-to-stop = Während ich antworte, kannst du mich mit einer Schaltfläche anhalten.
help-chat = fragt mich auch, und die Antwort kann für dich allein sein.
help-menu = Im Menü einer Nachricht, unter *Apps*: Mit **Cortana fragen** beantworte ich sie, mit **Ab hier zusammenfassen** sage ich dir, was seitdem gesagt wurde.
help-stop = beendet, was ich dir hier gerade antworte.
help-reset = beginnt eine neue Unterhaltung.
help-choose = wählen, wer dir antwortet und wie ich spreche.
help-status = zeigt, was davon hier gilt und warum.
help-whoami = zeigen, was für dich gilt und wie viel dir noch bleibt.
help-as-manager = Weil du diesen Server verwaltest
help-choose-for-all = wählen mit `für` für alle in einem Kanal oder auf diesem Server.
help-as-operator = Weil du mich betreibst
help-oauth-status = zeigt alle Zugänge und wie es um sie steht.
help-oauth-refresh = holt neue Tokens.
help-oauth-connect = meldet mich irgendwo an.

## /wer-bin-ich und /verbrauch

who-you-are = Du bist { $mention }, { $id }.
rights-operator = Du betreibst mich: Über Zugänge, Warnungen und jede Wahl bestimmst du.
rights-manager = Du verwaltest diesen Server: Für ihn und seine Kanäle darfst du Modelle und Personas wählen.
rights-own = Du darfst für dich selbst Modelle und Personas wählen.
not-served = Hier antworte ich dir nicht.
served-direct = In Direktnachrichten antworte ich dir.
served-all = Auf diesem Server antworte ich allen.
served-channel = Hier antworte ich dir: Dieser Kanal ist einer von denen, in denen ich antworte.
served-role = Hier antworte ich dir: Du hast eine Rolle, die mich fragen darf.
served-channel-and-role = Hier antworte ich dir: Dieser Kanal ist einer von denen, in denen ich antworte, und du hast eine Rolle, die mich fragen darf.
usage-unlimited = Für deine Fragen gibt es keine Grenze.
usage-questions = Du hast in der letzten Stunde { $asked } von { $limit } Fragen gestellt: { $left } bleiben dir noch.
usage-tokens = Du hast am letzten Tag { $used } von { $limit } Tokens verbraucht.
usage-next = Mehr gibt es { $when }.

## Das Menü einer Nachricht

no-history-for-you = Du darfst hier nicht zurücklesen, also tue ich es auch nicht.
nothing-since = Ab dieser Nachricht gibt es nichts, was ich lesen kann.
heading-since =
    { $count ->
        [one] { $count } Nachricht ab { $author }
       *[other] { $count } Nachrichten ab { $author }
    }
more-since = Seitdem wurde noch mehr gesagt; das ist der erste Teil.

## /anhalten

stop-nothing = Ich schreibe hier gerade nichts.
stop-nothing-of-yours = Für dich schreibe ich hier gerade nichts. Was ich für andere schreibe, halten sie selbst an, oder wer hier Nachrichten verwalten darf.
stop-done = { $count ->
    [one] Eine Antwort angehalten:
   *[other] { $count } Antworten angehalten:
}
stop-to-you = an dich: { $question }
stop-to-other = an { $person }: { $question }
stop-more = und { $count } weitere

## /neu

reset-done = Deine nächste Nachricht hier beginnt eine neue Unterhaltung. Eine Antwort auf eine ältere Nachricht setzt weiterhin die alte fort.

## Für wen eine Wahl gilt, hinter „für“, und wessen eine Persona ist, in Klammern.

for-you = dich
for-this-thread = diesen Thread
for-this-channel = diesen Kanal
for-this-server = diesen Server
whose-bots = vom Bot
whose-servers = von diesem Server
whose-own = deine eigene
no-thread = Das ist kein Thread; wähle für den Kanal oder für dich selbst.
direct-for-yourself = In Direktnachrichten kannst du nur für dich selbst wählen.
choosing-needs-permission = Um für { $whom } zu wählen, brauchst du die Berechtigung „Server verwalten“. Für dich selbst kannst du wählen: Lass `für` weg.
choice-maybe-unkept = Deine Wahl wurde vielleicht nicht gespeichert: `/einstellungen status` zeigt in einer Weile, ob sie gilt. Versuch es in einer Minute noch einmal; wenn es so bleibt, gib die ID `{ $id }` an die Person weiter, die den Bot betreibt.
choice-unkept = Deine Wahl konnte nicht gespeichert werden, und es hat sich nichts geändert. Versuch es in einer Minute noch einmal; wenn es so bleibt, gib die ID `{ $id }` an die Person weiter, die den Bot betreibt.

## /einstellungen status

no-credentials = Es ist kein Zugang eingerichtet.
status-credentials = { $summary }
status-answers = Laufende Antworten: { $count }
passed-over = Gewählt für { $whom }, hier ohne Wirkung: `{ $what }` – { $why }.
persona-passed-over = Persona für { $whom }, hier ohne Wirkung: `{ $name }` – { $why }.
passed-nearer = was darüber steht, geht für dich vor
passed-not-offered = wer mich betreibt, bietet es nicht mehr an; wähle ein anderes mit `/einstellungen modell`
passed-gone = dieses Modell gibt es nicht mehr; wähle ein anderes mit `/einstellungen modell`
passed-no-persona = diese Persona gibt es hier nicht; wähle eine andere mit `/einstellungen persona`

## /einstellungen modell, /einstellungen anbieter, /einstellungen modelle

chose = { $what } ist für { $whom } gewählt.
answers-from-now-on = Ab jetzt antwortet es dir hier.
choice-taken-back = Für { $whom } ist nichts mehr gewählt.
take-back = die Wahl zurücknehmen
model-ready = bereit
model-resting = hat Pause
ability-images = sieht Bilder
ability-context = { $tokens } Kontext
ability-tools = Werkzeuge
model-answers-chosen = `{ $model }` antwortet dir hier, weil es für { $whom } gewählt wurde.
model-answers-default = `{ $model }` antwortet dir hier: Niemand hat ein anderes gewählt, also gilt meine Vorgabe.
no-model-answers = Gerade kann kein Modell antworten, und hier hat niemand eines gewählt.
nothing-on-offer = Hier kann kein Modell gewählt werden: Es ist kein Zugang eingerichtet, dessen Modelle angeboten werden.
no-such-model = Ein Modell `{ $name }` gibt es nicht.
no-such-provider = Einen Anbieter `{ $name }` gibt es nicht.
providers-known = Ich kenne { $known }.
providers-there = Da ist { $known }.
did-you-mean = Meintest du `{ $name }`?
did-you-mean-one-of = Meintest du `{ $names }` oder `{ $last }`?
models-lists = `/einstellungen modelle` zeigt, was du wählen kannst.
provider-without-credential = Für **{ $provider }** gibt es hier keinen Zugang.
provider-not-offered = Das Standardmodell von **{ $provider }** wird hier nicht angeboten; `/einstellungen modelle anbieter:{ $provider }` zeigt, was du wählen kannst.
no-model-contains = In keinem Modellnamen kommt `{ $filter }` vor.
no-model-of = Von **{ $provider }** kann hier kein Modell gewählt werden: Es gibt keinen Zugang, oder keines wird angeboten.
picker-for = Für { $whom }
picker-whom = Für wen
picker-provider = Anbieter
picker-model = Modell
button-take-back = Wahl zurücknehmen
button-more-models = Weitere Modelle
button-back = Zurück
button-next = Weiter
models-title = Modelle
models-title-of = Modelle von { $provider }
models-footer =
    { $count ->
        [one] Seite { $page } von { $pages } · { $count } Modell · /einstellungen modell wählt
       *[other] Seite { $page } von { $pages } · { $count } Modelle · /einstellungen modell wählt
    }
answers-here = antwortet hier
origin-configured = eingestellt
origin-listed = gelistet
listed-at = **{ $provider }** hat sie { $at } aufgezählt

## /einstellungen modelle hub:…

hub-operators-only = Im Hub von Hugging Face suchen nur die, die mich und die Modelle betreiben. `/einstellungen modelle` ohne `hub` zeigt, was du wählen kannst.
hub-nothing = Kein Modell mit GGUF-Dateien hat `{ $query }` im Namen.
hub-title = GGUF-Modelle im Hub
hub-footer = cortana hf pull OWNER/MODEL FILE holt eines; siehe docs/local-models.md
hub-counts = { $downloads } Downloads · { $likes } Likes
hub-private = privat
hub-gated = beschränkt, auf seiner Seite anzunehmen
hub-no-file = keine GGUF-Datei
hub-files = { $count } Dateien, von { $first } bis { $last }
hub-unknown-size = Größe unbekannt
hub-memory = Speicher { $size }

## /einstellungen persona

persona-form = Eine Persona für { $whom }
persona-form-name = Name
persona-form-name-example = pirat
persona-form-text = Wie soll ich sprechen? Leer: löschen
persona-form-text-example = Du bist ein Piratenkapitän. Antworte in Versen.
persona-name-bad = Der Name einer Persona hat 1 bis 40 gewöhnliche Zeichen in einer Zeile und ist nicht `default`.
persona-direct-own = In Direktnachrichten kannst du nur für dich selbst eine Persona schreiben.
personas-full = Es gibt schon { $count } Personas ({ $whose }). Lösche eine: ihr Name und kein Text.
persona-deleted = Die Persona `{ $name }` ({ $whose }) gibt es nicht mehr.
no-such-persona = Eine Persona `{ $name }` kann hier nicht gewählt werden.
persona-leave-out = Lass den Namen weg, um eine zu schreiben.
persona-own-alone = Die Persona `{ $name }` ({ $whose }) kann nicht für { $whom } gewählt werden: Nur du darfst sie ändern. Lass `für` weg, um sie für dich selbst zu wählen.
persona-servers-alone = Die Persona `{ $name }` ({ $whose }) kann nicht für { $whom } gewählt werden: Deine Wahl gilt auf jedem Server. Wer diesen verwalten darf, kann sie mit `für` wählen; lass den Namen weg, um eine eigene zu schreiben.
persona-taken-back = Für { $whom } ist keine Persona mehr gewählt.
chose-persona = Die Persona `{ $name }` ist für { $whom } gewählt.
persona-none = Ich spreche hier als ich selbst: Es ist keine Persona gewählt.
persona-applies = Ich spreche hier als `{ $name }` ({ $whose }), weil das für { $whom } gewählt wurde.

## Zustände von Zugängen: als Überschrift und mitten in einer Zeile. Die Zeichen davor stehen im Code.

state-ready = Gültig
state-early = Läuft bald ab
state-refreshing = Wird erneuert
state-expired = ABGELAUFEN
state-cooling = Hat Pause
state-needs-login = Anmeldung nötig
state-refused = Vom Dienst abgelehnt
state-disabled = Abgeschaltet
state-unusable = Unbrauchbar
word-ready = gültig
word-early = läuft bald ab
word-refreshing = wird erneuert
word-expired = abgelaufen
word-cooling = hat Pause
word-needs-login = Anmeldung nötig
word-refused = vom Dienst abgelehnt
word-disabled = abgeschaltet
word-unusable = unbrauchbar

## /einstellungen oauth-status und /einstellungen zugang

credentials-count =
    { $count ->
        [one] { $count } Zugang
       *[other] { $count } Zugänge
    }
credentials-title = Zugänge
credentials-title-of = Zugänge bei { $provider }
page = Seite { $page } von { $pages }
no-credentials-of = Für **{ $provider }** ist kein Zugang eingerichtet.
no-credentials-next = Leg eine Zugangsdatei in den Ordner von `CREDENTIALS_DIR` (`credentials/`), oder setze `{ $variable }` auf einen Pfad oder auf das JSON selbst. Dateien werden binnen zwei Sekunden gefunden, ohne Neustart; `cortana doctor` sagt, was fehlt.
no-such-credential = Einen Zugang `{ $id }` gibt es nicht; wähle einen aus der Liste, die beim Tippen erscheint.
no-such-credential-of = **{ $provider }** hat keinen solchen Zugang; wähle einen aus der Liste, oder lass das Feld leer.
credential-gone = Den Zugang `{ $id }` gibt es nicht mehr: Seine Datei oder Variable ist weg, oder sie enthält jetzt eine andere Anmeldung. `/einstellungen oauth-status` zeigt, was da ist.
unknown = unbekannt
unknown-provider = unbekannter Anbieter
unsaved = Nicht gespeichert: Das letzte Schreiben ist fehlgeschlagen; das Token ist nur im Arbeitsspeicher
rests-until = Hat Pause, weiter geht es { $until }
model-rests = `{ $model }` hat Pause, weiter geht es { $until } ({ $why })
waits-for-lock = Wartet auf eine Sperre, die { $holder } hält
dialect-in-place = { $dialect } in { $place }
requests =
    { $count ->
        [one] { $count } Anfrage
       *[other] { $count } Anfragen
    }
never-used = nie benutzt
used-at = zuletzt { $at }
in-flight = { $count } laufend
quota-line = Kontingent: { $left }, Stand { $at }
quota-nothing = nichts
quota-almost-nothing = weniger als 1 %
quota-left = { $left } von `{ $what }` übrig
quota-resets = wieder voll { $at }
no-expiry-known = Kein Ablauf bekannt
expires-in = Läuft in { $left } ab ({ $at })
expired-ago = Vor { $ago } abgelaufen ({ $at })
not-refreshed = Seit dem Start nicht erneuert
last-refresh-succeeded = Zuletzt erneuert { $at }: geglückt
last-refresh-failed = Zuletzt erneuert { $at }: fehlgeschlagen ({ $why })
attempts =
    { $count ->
        [one] { $count } Versuch
       *[other] { $count } Versuche
    }
# Was aus einem Anbieter wurde; der Vermerk selbst steht auf Englisch in seiner Zeile.
lifecycle = **{ $provider }**, seit { $since }: { $note }
pick-credential = Einen Zugang ansehen oder ändern
choice-no-expiry = kein Ablauf
choice-expires-minutes = läuft in { $minutes } min ab
choice-expires-hours = läuft in { $hours } h ab
card-expires = Ablauf
card-last-refresh = Letzte Erneuerung
card-use = Nutzung
card-rests = Pause
card-rests-until = bis { $at } ({ $left })
card-models = Modelle mit Pause
card-quota = Kontingent
card-saving = Speichern
card-lock = Sperre
card-lock-held = gehalten von { $holder }
card-link = Der Dienst bittet dich, das zu öffnen
card-where = Ort
card-id = ID
nothing-to-do = Nichts zu tun.
and-more = und { $count } weitere
as-of = Stand { $at }
refused-token-question = Das Refresh-Token von { $name } wurde abgelehnt. Von selbst wird es nie wieder gesendet, denn Dienste halten das für einen Angriff. Sende es nur dann noch einmal, wenn du weißt, dass es irrtümlich abgelehnt wurde.
button-refresh = Jetzt erneuern
button-disable = Abschalten
button-enable = Einschalten
button-clear-cooldown = Pause beenden
button-try-refused = Abgelehntes Token noch einmal senden
button-send-once-more = Noch einmal senden
button-leave = So lassen
button-all-credentials = Alle Zugänge
button-log-in-again = Neu anmelden
disabled-now = Abgeschaltet. Laufende Anfragen gehen noch zu Ende.
still-disabled = Er ist weiterhin abgeschaltet, der Grund steht unten.
enabled-now = Eingeschaltet.
rests-no-longer = Die Pause ist beendet.

## /einstellungen oauth-refresh

nothing-to-refresh = Für **{ $provider }** ist kein Zugang eingerichtet: Es gibt nichts zu erneuern.
refresh-failed = Das Token für **{ $provider }** konnte nicht erneuert werden
refreshed-some = { $fresh } von { $all } Tokens für **{ $provider }** erneuert
refreshed = Das Token für **{ $provider }** ist erneuert
refreshed-nothing = Für **{ $provider }** wurde nichts erneuert
expiry-untold = kein Ablauf genannt
expires-at = läuft { $at } ab
line-refreshed = Erneuert: { $account }, { $expiry }
line-adopted = Übernommen: { $account }, in der Datei stand ein neueres Token, { $expiry }
line-unchanged = Unverändert: { $account } ist ein API-Schlüssel und läuft nie ab
line-disabled = Abgeschaltet: { $account }, { $why }
line-too-soon = Wartet: { $account } wurde vor weniger als einer Minute erneuert, wieder { $until }
line-failed = Fehlgeschlagen: { $account }, { $why }
refused-before = dieses Refresh-Token wurde schon abgelehnt und wird nicht noch einmal gesendet
button-try-account = { $account } noch einmal versuchen
what-you-can-do = Was du tun kannst:
tip-log-in = Melde dich neu an: hier mit `/einstellungen oauth-connect { $provider }`, auf dem Rechner mit `cortana login { $provider }` oder mit dem Programm des Anbieters, dessen neue Datei in den Zugangsordner kommt. Sie zählt binnen zwei Sekunden, ohne Neustart.
tip-send-once-more = Wenn du weißt, dass die Ablehnung ein Irrtum war, sendet die Schaltfläche dasselbe Token noch einmal.
tip-link = Wenn auch ein anderes Programm diese Anmeldung nutzt, hat seine Datei vielleicht das neuere Token: Verknüpfe diese Datei, statt sie zu kopieren.
tip-check-client = Prüfe `{ $prefix }_CLIENT_ID` und `{ $prefix }_CLIENT_SECRET`.
tip-tokens-client = Ein Token gilt nur mit dem Client, für den es ausgestellt wurde: Melde dich neu an, wenn du den Client gewechselt hast.
tip-set-variables = Setze { $variables } in der Umgebung, und starte neu.
tip-try-again = Versuch es in { $wait } noch einmal; ein noch gültiges Token wird bis dahin benutzt.
a-few-minutes = ein paar Minuten
tip-check-network = Prüfe, ob dieser Rechner den Token-Endpunkt erreicht (Netz, `HTTPS_PROXY`).
tip-tried-again = Versuch es in ein paar Minuten noch einmal; von selbst wird es auch versucht, in wachsenden Abständen.
tip-doctor = Wenn es so bleibt, ruf auf dem Rechner `cortana doctor` auf.
tip-foreign-host = Wenn du diesem Host traust, nenne ihn selbst: `{ $prefix }_TOKEN_ENDPOINT` oder `{ $prefix }_API_BASE`.
tip-account-refused = Die Anmeldung ist in Ordnung, der Dienst lehnt das Konto ab: Prüfe Lizenz, Region und Bedingungen.
tip-open-link = Der Dienst bittet dich, { $link } zu öffnen.
tip-file-gone = Leg die Datei zurück, oder lass es so: Der Eintrag verschwindet von selbst.
tip-file-unreadable = Öffne die Datei und berichtige sie, oder melde dich neu an; solange sie nicht lesbar ist, wird sie nie überschrieben.
tip-locked = Ein anderer Prozess erneuert dieselbe Anmeldung: Versuch es in einer Minute noch einmal, sein Ergebnis wird übernommen.
tip-not-writable = Es wurde kein Token verbraucht. Abhilfe: { $remedy }.
tip-not-saved = Schaff bald Platz auf der Platte, oder berichtige die Rechte: Bis dahin ist das neue Token nur im Arbeitsspeicher.

## /einstellungen oauth-connect

connect-no-login = Bei **{ $name }** kannst du dich von hier aus nicht anmelden; `cortana login { $provider }` auf dem Rechner sagt, was nötig ist.
connect-no-client = { $why }. In docs/providers.md steht, woher ein Client kommt.
connect-cannot-keep = { $why }; beim Anbieter wurde nicht gefragt.
connect-open = [Öffne die Seite von { $name }](<{ $address }>), und melde dich an.
connect-copy = Am Ende zeigt dein Browser eine Adresse, die er nicht öffnen kann, oder eine Seite mit einem Code: Kopier die ganze Adresse.
connect-paste = Füg sie mit der Schaltfläche ein, binnen fünf Minuten.
connect-confirm-code = Bestätige dort den Code `{ $code }`, binnen fünf Minuten. Diese Nachricht ändert sich, sobald das geschehen ist.
connect-address-too-long = Die Adresse ist zu lang für Discord; ruf auf dem Rechner `cortana login { $provider } --no-browser` auf.
connect-form = Die ganze Adresse oder der Code
connect-paste-again = { $why }. Füg sie noch einmal ein.
connect-somebody-elses = Diese Anmeldung hat jemand anderes begonnen; beginne deine eigene mit `/einstellungen oauth-connect`.
connect-over = Diese Anmeldung ist vorbei: Sie wurde beantwortet, oder die fünf Minuten sind um. Beginne neu mit `/einstellungen oauth-connect`.
connect-stopped = Ich wurde inzwischen beendet; es wurde nichts gespeichert. Beginne neu mit `/einstellungen oauth-connect`.
connect-not-kept = Nicht angemeldet bei { $name }: { $why }.
connect-failed = Nicht angemeldet bei { $name }: { $why }. Es wurde nichts gespeichert.
connected = Angemeldet bei **{ $name }** als { $account }.
connect-not-granted = Angefragt, aber nicht gewährt: { $scopes }
connect-terms = Noch nicht in Gebrauch: Setze `ACCEPT_PROVIDER_TERMS={ $provider }`, wenn du die Bedingungen annimmst.
button-log-in = Anmelden
button-paste = Adresse einfügen

## /einstellungen oauth-disconnect

log-out-question = Die Anmeldung von { $name } beenden? Sie endet auch für andere Programme, die sie teilen, und { $place } wird entfernt.
button-log-out = Abmelden und entfernen
not-logged-out = { $name } wurde nicht abgemeldet: { $why }.
not-logged-out-file = { $name } wurde nicht abgemeldet: { $why }. Die Datei ist, wie sie war.
logged-out = { $name } ist abgemeldet: { $how }. { $place } ist entfernt.
logged-out-now = bei { $at } beendet
logged-out-before = { $at } hatte sie schon beendet
logged-out-not-offered = { $at } hat keine Adresse zum Abmelden: Dort lebt sie weiter, bis sie abläuft oder auf der Kontoseite beendet wird
logged-out-in-part = { $name } ist nur teilweise abgemeldet: { $why }.

## Meldungen an Betreiber. Was bei den ersten fünf hinter dem Doppelpunkt steht, sagt das Log auch, auf Englisch.

alert-needs-login = { $who } braucht eine Anmeldung
alert-refused = { $who } wird vom Dienst abgelehnt
alert-refresh-failing = { $who } läuft ab oder ist abgelaufen, und die Erneuerung schlägt fehl
alert-unsaved = { $who } hat ein neues Token, das nicht gespeichert werden konnte
alert-few-healthy = zu wenige Zugänge sind einsatzbereit
alert-over = Vorbei nach { $minutes } min: { $what }
alert-over-gone = Vorbei: Der Zugang `{ $id }` ist nicht mehr eingerichtet.
alert-intent = Discord verweigert mir den Message-Content-Intent: Ich antworte nur auf Erwähnungen, Antworten mit Ping und Direktnachrichten.
alert-intent-next = Schalte ihn unter „Bot“ auf <https://discord.com/developers/applications> ein, und starte mich neu.
alert-intent-over = Discord gewährt mir den Message-Content-Intent wieder.
alert-next = Jetzt: { $what }
alert-next-status = `/einstellungen oauth-status` zeigt, was jeder einzelne braucht.
alert-next-login = Melde dich an, wie es dasteht; `/einstellungen zugang { $id }` zeigt den Zugang mit seinen Schaltflächen.
alert-next-link = Wem das Konto gehört, und niemand sonst, öffnet { $link }; schalte den Zugang dann mit `/einstellungen zugang { $id }` ein.
alert-next-refused = `/einstellungen zugang { $id }` zeigt, was der Dienst gesagt hat, und schaltet ihn wieder ein.
alert-next-card = `/einstellungen zugang { $id }` zeigt, warum.
alert-next-refresh = `/einstellungen oauth-refresh { $provider }` versucht es jetzt; `/einstellungen zugang { $id }` zeigt, warum.
alert-next-doctor = `cortana doctor` auf dem Rechner sagt, wer wo schreiben darf.
alert-more = und { $count } weitere: `/einstellungen oauth-status` zeigt alle.
alert-footer = Für Betreiber; `ALERT_OPERATORS=off` beendet diese Nachrichten.

## Befehle. Der Name: kleine Buchstaben, Ziffern und Striche, höchstens 32. Beschreibungen: höchstens 100 Zeichen.

command-help = hilfe
    .description = Was ich hier für dich tun kann
command-whoami = wer-bin-ich
    .description = Wer du für mich bist, was du darfst und was hier für dich gilt
command-usage = verbrauch
    .description = Was du verbraucht hast und was dir noch bleibt
command-menu-ask-cortana = Cortana fragen
command-menu-summarise-from-here = Ab hier zusammenfassen
command-reset = neu
    .description = Neu anfangen: Was hier vorher gesagt wurde, wird nicht fortgesetzt
command-stop = anhalten
    .description = Beendet, was ich hier für dich schreibe; wer Nachrichten verwaltet, beendet alles
command-settings = einstellungen
    .description = Modelle, Personas und Zugänge dieses Bots
command-settings-status = status
    .description = Zeigt, welches Modell und welche Persona hier antworten und wie es dem Bot geht
command-settings-model = modell
    .description = Wählt das Modell, das antwortet; ohne Namen aus Menüs
    .option-model = modell
    .option-model-description = Welches; „default“ nimmt eine Wahl zurück
    .option-for = für
    .option-for-description = Für wen; ohne Angabe nur für dich
    .choice-for-me-everywhere = mich, überall
    .choice-for-this-thread = diesen Thread
    .choice-for-this-channel = diesen Kanal
    .choice-for-this-server = diesen Server
command-settings-provider = anbieter
    .description = Wählt den Anbieter, dessen Standardmodell antwortet
    .option-provider = anbieter
    .option-provider-description = Welcher; „default“ nimmt eine Wahl zurück
    .option-for = für
    .option-for-description = Für wen; ohne Angabe nur für dich
    .choice-for-me-everywhere = mich, überall
    .choice-for-this-thread = diesen Thread
    .choice-for-this-channel = diesen Kanal
    .choice-for-this-server = diesen Server
command-settings-models = modelle
    .description = Zählt die Modelle auf, die du wählen kannst
    .option-provider = anbieter
    .option-provider-description = Nur von diesem Anbieter
    .option-filter = filter
    .option-filter-description = Ein Teil des Namens
    .option-hub = hub
    .option-hub-description = Für Betreiber: sucht stattdessen im Hub von Hugging Face nach GGUF-Modellen
command-settings-persona = persona
    .description = Wählt, wie ich spreche; ohne Namen schreibst du eine eigene Persona
    .option-persona = persona
    .option-persona-description = Welche; „default“ nimmt eine Wahl zurück; leer öffnet ein Formular
    .option-for = für
    .option-for-description = Für wen; ohne Angabe nur für dich
    .choice-for-me-everywhere = mich, überall
    .choice-for-this-thread = diesen Thread
    .choice-for-this-channel = diesen Kanal
    .choice-for-this-server = diesen Server
command-settings-tools = werkzeuge
    .description = Lässt Modelle auf diesem Server oder in Direktnachrichten Werkzeuge benutzen (Betreiber)
    .option-switch = schalter
    .option-switch-description = Ob sie dürfen; ohne Angabe wird nur gezeigt
    .choice-switch-on = an
    .choice-switch-off = aus

command-settings-oauth-status = oauth-status
    .description = Zeigt den Zustand der Zugänge (für Betreiber)
    .option-provider = anbieter
    .option-provider-description = Nur von diesem Anbieter
command-settings-oauth-refresh = oauth-refresh
    .description = Holt jetzt neue Tokens (für Betreiber)
    .option-provider = anbieter
    .option-provider-description = Wessen Tokens
    .option-credential = zugang
    .option-credential-description = Nur dieser Zugang
command-settings-oauth-connect = oauth-connect
    .description = Meldet sich bei einem Anbieter an und behält die Anmeldung (für Betreiber)
    .option-provider = anbieter
    .option-provider-description = Wo
    .option-way = weg
    .option-way-description = Wie; ohne Angabe, was der Anbieter hat
    .choice-way-in-a-browser = im Browser
    .choice-way-by-a-code = mit einem Code
command-settings-oauth-disconnect = oauth-disconnect
    .description = Beendet eine Anmeldung beim Anbieter und entfernt ihre Datei (für Betreiber)
    .option-credential = zugang
    .option-credential-description = Welcher
command-settings-credential = zugang
    .description = Zeigt einen Zugang; schaltet ihn ab oder ein oder beendet seine Pause (für Betreiber)
    .option-credential = zugang
    .option-credential-description = Welcher
    .option-action = aktion
    .option-action-description = Was damit geschehen soll; ohne Angabe nur zeigen
    .choice-action-show = zeigen
    .choice-action-disable = abschalten
    .choice-action-enable = einschalten
    .choice-action-clear-cooldown = Pause beenden
    .choice-action-try-a-refused-token-once-more = ein abgelehntes Token noch einmal senden
    .option-reason = grund
    .option-reason-description = Warum, fürs Log; steht bei einem abgeschalteten Zugang dabei
command-chat = frag
    .description = Frag mich etwas
    .option-text = text
    .option-text-description = Deine Frage
    .option-file = datei
    .option-file-description = Ein Bild, ein Text oder ein PDF, um das es geht
    .option-model = modell
    .option-model-description = Wer diese eine Frage beantwortet
    .option-seen-by = sichtbar-für
    .option-seen-by-description = Wer die Antwort sieht; ohne Angabe alle hier
    .choice-seen-by-everyone-here = alle hier
    .choice-seen-by-only-me = nur mich

## Werkzeuge, die Modelle benutzen.

tool-calling = Ich rufe { $call } auf …
tool-asking = Ich würde gern { $call } aufrufen; das ändert etwas. **Erlaubst du das?** Nur wer gefragt hat, kann das sagen; ich warte fünf Minuten.
tool-failed = fehlgeschlagen
tool-denied = nicht erlaubt
tool-unanswered = niemand hat es erlaubt
tool-broken = abgebrochen, vielleicht trotzdem geschehen
tool-more = { $count } weitere
tool-spent = Runden von Aufrufen für diese Antwort: { $steps }, mehr darf ich nicht. Geantwortet habe ich mit dem, was ich hatte.
tool-not-yours = Nur wer gefragt hat, kann diesen Aufruf erlauben oder ablehnen.
tool-over = Dieser Aufruf wartet nicht mehr auf dich.
button-allow = Erlauben
button-deny = Ablehnen

## /einstellungen werkzeuge

tools-on-server = Modelle dürfen auf diesem Server Werkzeuge benutzen. `/einstellungen werkzeuge schalter:aus` beendet das.
tools-on-direct = Modelle dürfen in Direktnachrichten Werkzeuge benutzen, bei allen, denen ich dort antworte. `/einstellungen werkzeuge schalter:aus` beendet das.
tools-off-server = Modelle benutzen auf diesem Server keine Werkzeuge. `/einstellungen werkzeuge schalter:an` erlaubt es ihnen.
tools-off-direct = Modelle benutzen in Direktnachrichten keine Werkzeuge. `/einstellungen werkzeuge schalter:an` erlaubt es ihnen, bei allen, denen ich dort antworte.
tools-none = Es ist kein Programm mit Werkzeugen eingerichtet: Nenn eines unter `[[tools.server]]` in `cortana.toml`; docs/tools.md führt dorthin.
tools-starting = **{ $server }** startet gerade
tools-down = **{ $server }** läuft nicht: { $why }
tools-nothing-allowed = **{ $server }** hat kein Werkzeug, das erlaubt ist
