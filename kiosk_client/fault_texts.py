"""What each fault means to a person, and what to do, by problem name.

The names without a place in the protocol are our own, for what goes wrong on this side. ``{}`` is filled with the
cause, ``stampgate-kiosk`` with the way to this program, ``{options}`` with what an advised command needs besides, as
the last thing in its sentence and without a full stop, so that it can be copied, and ``{stamping}`` with what it means
to somebody who wants to stamp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIGNATURE_FAULTS = (
    "signature-missing",
    "signature-malformed",
    "covered-components",
    "signature-parameters",
    "signature-invalid",
    "content-digest-mismatch",
    "non-canonical-target",
)

FAULTS_ENGLISH: Mapping[str, str] = {
    "failed": "{}",
    "wrong-use": "{}",
    "insecure-http": "{} is plain HTTP: PINs would travel readable for everyone on the way. Use https, or allow it "
    "with --insecure-http for a test.",
    "key-store": "{}",
    "not-enrolled": "This terminal is not enrolled. Run: stampgate-kiosk enrol URL --code CODE{options}",
    "not-approved": "The enrolment of this terminal is not finished: IT has to approve it. Then run: stampgate-kiosk "
    "status{options}",
    "already-enrolled": "This terminal has a key for {} already. To give it up and enrol anew: --force. To see how it "
    "stands: stampgate-kiosk status{options}",
    "enrolment-ended": "The enrolment has ended: IT denied it, or nobody approved it within 30 minutes. Ask IT for a "
    "new code and run: stampgate-kiosk enrol URL --code CODE{options}",
    "unreachable": "The gateway cannot be reached ({}). {stamping} Check the network; if it lasts, tell IT.",
    "certificate": "The gateway's certificate is not trusted ({}). With a private CA give its file by --ca-file; "
    "otherwise tell IT.",
    "tls-missing": "The gateway at {} does not speak TLS. It, or a proxy before it, has to: tell IT.",
    "unexpected-answer": "Something that is not the gateway answered ({}). Check the address and the proxy.",
    "gateway-changed": "The gateway's key is not the one this terminal was enrolled with. Do not type a PIN; tell IT.",
    "stamp-uncertain": "The answer was lost, so it is not certain whether the stamp was recorded. Sign in again: the "
    "state shown there is the truth.",
    "state-unavailable": "The gateway is not ready at the moment. {stamping} Please try again shortly.",
    "busy": "The gateway is busy. Please try again in a moment.",
    "login-failed": "Number or PIN is wrong. Please try again.",
    "login-throttled": "Too many wrong tries.",
    "session-expired": "The session has ended. Please sign in again.",
    "action-not-valid": "That does not fit the present state.",
    "stamp-id-reused": "This stamp id was used for another action already.",
    "device-unknown": "The gateway does not know this terminal. IT has to enrol it anew.",
    "device-pending": "This terminal waits for approval by IT.",
    "device-suspended": "This terminal is suspended. Please use another one; IT can resume it.",
    "device-revoked": "This terminal was revoked and cannot be used any more. Please use another one and tell IT.",
    "key-expired": "This terminal's key has expired. IT has to replace it (a new code, then enrol --force).",
    "network-not-allowed": "This terminal may not be used from this network. Tell IT.",
    "enrolment-code-invalid": "The enrolment code is wrong, used or older than 30 minutes. Ask IT for a new one.",
    "weak-key": "The gateway refused the key. Run the command again: it makes another one.",
    "key-reused": "The gateway has seen this key before. Run enrol again with a new code: it makes another key.",
    "clock-skew": "This terminal's clock cannot be brought into line with the gateway's. Set its time, or tell IT.",
    "bad-nonce": "The gateway refused its own nonce twice. Please try again; if it lasts, tell IT.",
    "nonce-replayed": "The gateway saw this request before. Please try again; if it lasts, tell IT.",
    "unknown-authority": "The gateway does not know itself by this address. Use its public address, or add this one to "
    "STAMPGATE_EXTRA_AUTHORITIES.",
    "bad-request": "The gateway did not accept the input: {}",
    "too-many-requests": "Too many tries from this address.",
    "not-found": "The gateway does not know this call. Is the address right and the gateway new enough?",
    "internal-error": "The gateway had a fault of its own. Please try again; if it lasts, tell IT. {}",
    **dict.fromkeys(
        _SIGNATURE_FAULTS,
        "The gateway did not accept this terminal's signature. A proxy may change requests; tell IT. {}",
    ),
}

FAULTS_GERMAN: Mapping[str, str] = {
    "failed": "{}",
    "wrong-use": "{}",
    "insecure-http": "{} ist unverschlüsseltes HTTP: PINs wären unterwegs für jeden lesbar. Bitte https verwenden oder "
    "zum Testen mit --insecure-http erlauben.",
    "key-store": "{}",
    "not-enrolled": "Dieses Terminal ist nicht angemeldet. Befehl: stampgate-kiosk enrol URL --code CODE{options}",
    "not-approved": "Die Anmeldung dieses Terminals ist nicht abgeschlossen: Die IT muss sie freigeben. Danach: "
    "stampgate-kiosk status{options}",
    "already-enrolled": "Dieses Terminal hat schon einen Schlüssel für {}. Aufgeben und neu anmelden: --force. Zum "
    "Nachsehen: stampgate-kiosk status{options}",
    "enrolment-ended": "Die Anmeldung des Terminals ist beendet: abgelehnt oder nicht innerhalb von 30 Minuten "
    "bestätigt. Bitte bei der IT einen neuen Code holen.",
    "unreachable": "Der Server ist nicht erreichbar ({}). {stamping} Netz prüfen; wenn es dauert, die IT verständigen.",
    "certificate": "Dem Zertifikat des Servers wird nicht vertraut ({}). Bitte die IT verständigen.",
    "tls-missing": "Der Server unter {} spricht kein TLS. Er oder ein Proxy vor ihm muss es: die IT verständigen.",
    "unexpected-answer": "Es hat etwas anderes als der Server geantwortet ({}). Adresse und Proxy prüfen.",
    "gateway-changed": "Der Schlüssel des Servers ist nicht der, mit dem dieses Terminal angemeldet wurde. Keine PIN "
    "eingeben; die IT verständigen.",
    "stamp-uncertain": "Die Antwort ging verloren; es ist nicht sicher, ob gebucht wurde. Bitte neu anmelden: der dort "
    "gezeigte Stand gilt.",
    "state-unavailable": "Der Server ist gerade nicht bereit. {stamping} Bitte gleich noch einmal versuchen.",
    "busy": "Der Server ist ausgelastet. Bitte gleich noch einmal versuchen.",
    "login-failed": "Nummer oder PIN ist falsch. Bitte noch einmal versuchen.",
    "login-throttled": "Zu viele Fehlversuche.",
    "session-expired": "Die Sitzung ist beendet. Bitte neu anmelden.",
    "action-not-valid": "Das passt nicht zum jetzigen Stand.",
    "stamp-id-reused": "Diese Buchungskennung wurde schon für eine andere Aktion verwendet.",
    "device-unknown": "Der Server kennt dieses Terminal nicht. Die IT muss es neu anmelden.",
    "device-pending": "Dieses Terminal wartet auf die Bestätigung durch die IT.",
    "device-suspended": "Dieses Terminal ist gesperrt. Bitte ein anderes benutzen; die IT kann es freigeben.",
    "device-revoked": "Dieses Terminal wurde endgültig gesperrt. Bitte ein anderes benutzen und die IT verständigen.",
    "key-expired": "Der Schlüssel dieses Terminals ist abgelaufen. Die IT muss es ersetzen (neuer Code, enrol "
    "--force).",
    "network-not-allowed": "Dieses Terminal darf aus diesem Netz nicht benutzt werden. Bitte die IT verständigen.",
    "enrolment-code-invalid": "Der Code ist falsch, verbraucht oder älter als 30 Minuten. Bitte bei der IT einen neuen "
    "holen.",
    "weak-key": "Der Server hat den Schlüssel abgelehnt. Den Befehl wiederholen: er erzeugt einen anderen.",
    "key-reused": "Der Server kennt diesen Schlüssel schon. Mit einem neuen Code wiederholen: es entsteht ein anderer.",
    "clock-skew": "Die Uhr dieses Terminals passt nicht zu der des Servers. Uhrzeit stellen oder die IT verständigen.",
    "bad-nonce": "Der Server hat seine eigene Nonce zweimal abgelehnt. Bitte noch einmal versuchen.",
    "nonce-replayed": "Der Server hat diese Anfrage schon gesehen. Bitte noch einmal versuchen.",
    "unknown-authority": "Der Server kennt sich unter dieser Adresse nicht. Seine öffentliche Adresse verwenden oder "
    "diese in STAMPGATE_EXTRA_AUTHORITIES eintragen.",
    "bad-request": "Der Server hat die Eingabe nicht angenommen: {}",
    "too-many-requests": "Zu viele Versuche von dieser Adresse.",
    "not-found": "Der Server kennt diesen Aufruf nicht. Stimmt die Adresse, ist der Server neu genug?",
    "internal-error": "Der Server hatte einen eigenen Fehler. Bitte noch einmal versuchen; wenn es dauert, die IT "
    "verständigen. {}",
    **dict.fromkeys(
        _SIGNATURE_FAULTS,
        "Der Server hat die Signatur dieses Terminals nicht angenommen. Ein Proxy kann Anfragen verändern; die IT "
        "verständigen. {}",
    ),
}
