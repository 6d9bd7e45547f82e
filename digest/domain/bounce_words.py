"""The words by which mail systems say why they refuse, in the languages they say it in.

All patterns are for lower-case text with single spaces.
"""

import re

# About the sender, the content, the amount or the relay, whatever code goes with it.
ABOUT_US = re.compile(
    r"\bspam|unsolicited|\bjunk\b|black ?-?list|block ?-?list|deny ?-?list|grey ?-?list.{0,20}spam"
    r"|\bdns ?[bw]l\b|\brbl\b|reputation|\bbanned\b|\bblocked\b|\babus"
    r"|\bvirus|malware|infected|phish|suspicious"
    r"|\bdkim\b|\bdmarc\b|\bspf\b|sender[ -]id\b|unauthenticated|purported responsible"
    r"|reverse (?:dns|lookup|name)|\bptr\b|\brdns\b|client host (?:name )?(?:rejected|not found)"
    r"|\bhelo\b.{0,40}(?:reject|invalid|denied|must|not)|cannot find your (?:reverse|hostname)"
    r"|mismatch\w* client ip|valid sender domain|\bbad dns\b"
    r"|relay(?:ing)?,? (?:is |access )?(?:denied|not|prohibited|disallowed|forbidden)"
    r"|(?:not|unable|refus\w+|permitted|allowed) to relay|no relaying|(?:don't|not) relay"
    r"|not (?:a )?local(?: host)?,.{0,40}gateway|isn't in my (?:control/locals"
    r"|list of allowed rcpt)"
    r"|too many|rate[ -]limit|limit(?:s|ed)? (?:the )?rate|throttl|too (?:fast|frequent|quickly)"
    r"|(?:daily|hourly|sending|relay|message|connection)s? (?:relay )?(?:quota|limit)"
    r"|(?:sender|mail ?from|from address|from domain|return[- ]path|sending domain|envelope from"
    r"|your domain|originat\w+ (?:address|domain))\b.{0,60}"
    r"(?:reject|denied|invalid|unknown|verif|exist|resolv|refus|not found|not allowed|listed)"
    r"|(?:for|of) (?:the |your )?sender|\bin helo\b|\bfrom header"
    r"|\bheaders? invalid"
    r"|invalid sender|unknown sender|unverified sender"
    r"|message (?:is |was )?(?:size|too (?:big|large|long)|exceeds)|size (?:limit|exceeds)"
    r"|too large"
    r"|(?:must|need to|require\w*) (?:to )?(?:authenticate|use tls|issue a starttls|be encrypted)"
    r"|authentication (?:is )?(?:required|fail)|encryption (?:is )?required|rfc ?-?\d{3,4} complian"
    r"|not (?:comply|compl[iy]\w+|conform\w*) (?:with|to)|content (?:reject|restrict|filter|denied)"
    r"|rejected (?:due to|because of|by|for) (?:its |the |your )?(?:content|local policy|policy)"
    r"|not (?:a )?(?:subscribed |list )?member|only members|unwanted|looping|mail loop|hop count"
)
# Keepers of lists of bad senders, whose pages a refusal may name without another word.
BLOCKLISTS = re.compile(r"spamhaus|spamcop|sorbs\.net|barracudacentral|uribl|surbl|dnsbl\.")
# The same, but said of dead recipients too.
ABOUT_US_MAYBE = re.compile(
    r"policy|prohibited|not (?:permitted|authori[sz]ed|allowed)|permission|restrict|access denied"
    r"|(?:message|mail|transaction|connection)\b.{0,20}(?:refused|rejected)|internal.{0,20}error"
    r"|(?:system|config\w*|local|software) error|service (?:is )?(?:currently )?"
    r"(?:un|not )available"
    r"|\brefused\b|\bforbidden\b|\bmalformed|\bsyntax\b.{0,40}\b(?:header|command)"
)
# The mailbox or the way to it is there, but not today.
NOT_NOW = re.compile(
    r"(?:mail ?box|inbox|account|user|recipient|folder|storage|disk|maildir)\b.{0,40}"
    r"\b(?:is |over )?(?:almost |too )?full\b|\bfull (?:mail ?box|inbox)|mailfull|mailboxfull"
    r"|quota|over (?:the |its |their )?(?:storage|disk|size|allowed|limit)|out of (?:disk )?space"
    r"|insufficient (?:\w+ )?(?:storage|space|resource)|not enough (?:\w+ )?(?:storage|space)"
    r"|(?:couldn't|could not|can't|cannot) create|no space left|exceed\w* .{0,30}(?:storage"
    r"|space|size|capacity)|"
    r"receiving (?:mail|messages) at"
    r"|temporar|transient|gr[ae]y ?-?list|try again later|again later|later again|"
    r"(?:not|be) delayed"
    r"|host not found,? try again|timed? ?-?out|time ?limit|expired|(?:queue|system) too long"
    r"|retry (?:time|limit)|giving up after|multiple retries|deferred|has been delayed|too busy"
    r"|connection (?:was |has been )?(?:refused|reset|dropped|lost|closed|failed)|lost connection"
    r"|(?:unable|could not|couldn't|cannot|can't|failed) to (?:connect|establish|contact)"
    r"|(?:wasn't|not) able to (?:connect|establish|contact)|did not accept our requests to connect"
    r"|no route to host|network (?:is )?unreachable|socket error|hosts? ha(?:ve|s) been failing"
    r"|voll\b|speicherplatz|überschritten|pleine?\b|saturée|dépassé|llen[oa]\b|cuota|excedid"
    r"|chei[oa]\b|piena\b|superat[oa]|переполнен|превыш|квот|満杯|容量|いっぱい|已满|超出|已滿|초과"
)
# The mailbox is shut, and may be opened again.
SHUT = re.compile(
    r"disabled|suspend|inactive|not active|deactivated|locked|frozen|on hold|discontinued by"
    r"|not accepting (?:mail|messages|e-?mail)|isn't accepting|not collected|not been collected"
    r"|dormant|stopped|заблокирован|отключ|gesperrt|deaktiviert|désactivé|suspendid|停用|停止"
)
_WHO = (
    r"(?:users?|user ?(?:name|id)|mail ?box(?:es)?|accounts?|recipients?|address(?:ees?|es)?"
    r"|persons?|e-?mail(?: (?:address|account))?|names?|alias)"
)
_NO_MORE = r"(?:no longer|not any ?more)"
_IS_NOT = (
    r"(?:(?:does|do|did) ?(?:not|n't) (?:appear to )?exist|(?:doesn't|don't|didn't) exist"
    r"|(?:was |were |is |are |could |can)?(?:not|n't) (?:be )?(?:found|known|exist|located"
    r"|listed|valid"
    r"|recogni[sz]ed|recognised|resolved)|(?:is |are )?(?:unknown|invalid|non-?existent"
    r"|nonexistent)"
    rf"|(?:is |are )?{_NO_MORE} (?:exist|valid|available|in use|on |here|with|active|work"
    rf"|employ)\w*"
    r"|(?:has been |is |was )?(?:deleted|closed|terminated|removed|cancell?ed|expunged)"
    r"|has (?:left|moved))"
)
_EUROPEAN = (
    # German, Dutch, Scandinavian
    r"|(?:benutzer|empf(?:ä|ae)nger|teilnehmer|postfach|konto|adresse)\w*\b.{0,40}"
    r"(?:unbekannt|existiert nicht|nicht (?:gefunden|vorhanden|bekannt))"
    r"|unbekannter? (?:benutzer|emp)"
    r"|(?:gebruiker|ontvanger|adres|postbus)\b.{0,40}(?:onbekend|bestaat niet|niet gevonden)"
    r"|(?:användare|mottagare|bruker|mottaker|bruger|modtager)\w*\b.{0,40}"
    r"(?:okänd|ukjent|ukendt|finns inte|finnes ikke|findes ikke)"
    # French, Spanish, Portuguese, Italian
    r"|(?:utilisateur|destinataire|adresse|compte|bo[iî]te)\w*\b.{0,60}"
    r"(?:inconnu|n.existe pas|inexistant|invalide|introuvable|non recens)"
    r"|(?:usuario|destinatario|direcci[oó]n|cuenta|buz[oó]n)\w*\b.{0,40}"
    r"(?:desconocid|no existe|inexistente|no encontrad|inv[aá]lid)"
    r"|(?:usu[aá]rio|destinat[aá]rio|endere[cç]o|conta|caixa)\w*\b.{0,40}"
    r"(?:desconhecid|n[aã]o existe|inexistente|n[aã]o encontrad|inv[aá]lid)"
    r"|(?:utente|destinatario|casella|indirizzo|account)\b.{0,40}"
    r"(?:sconosciut|non esiste|inesistente|non trovat|non valid)"
    # Slavic
    r"|(?:пользовател|адрес|ящик|получател|аккаунт)\w*\b.{0,60}"
    r"(?:не существует|не найден|неизвест|удал[её]н)|неизвестн\w+ (?:пользовател|получател|адрес)"
    r"|нет такого (?:пользовател|получател|адрес)|нет почтового ящика"
    r"|(?:użytkownik|adresat|skrzynk|konto|odbiorc)\w*\b.{0,40}(?:nieznan|nie istnieje|nie znalez)"
    r"|(?:uživatel|příjemce|schránka|adresa)\w*\b.{0,40}(?:neznám|neexistuje)"
)
_ASIAN = (
    r"|(?:宛先|あて先|ユーザ|メールアドレス|受信者|アカウント).{0,30}"
    r"(?:存在しま|存在しない|見つかりま|みつかりま|ありませ|不明|ございませ)|宛先不明"
    r"|(?:用户|用戶|收件人|收件者|账号|帐号|邮箱|信箱|地址|使用者).{0,20}(?:不存在|未找到|找不到|无效|無效)"
    r"|(?:无此|無此|查無此|没有这个)(?:用户|用戶|收件|使用者|邮箱|人)|(?:找不到|不存在的)(?:用户|收件|邮箱)"
    r"|(?:사용자|수신자|계정|주소).{0,20}(?:존재하지|찾을 수 없|없습니다|없는)"
)
# The recipient or its domain is not there.
GONE_WORDS = re.compile(
    rf"(?<!may )(?<!might )\b{_WHO}\b[^.;]{{0,60}}?(?<!may )(?<!might )\b{_IS_NOT}"
    rf"|\b(?:unknown|invalid|no such|non-?existent|bad) (?:destination |local |e-?mail |rcpt "
    rf"|virtual "
    rf"|final delivery )*{_WHO}\b(?! error)|not a (?:known|valid) (?:local )?{_WHO}"
    rf"|\bno {_WHO} (?:here|by)\b"
    r"|no valid recipients?|(?:user|rcpt|recipient) unknown|doesn't have an? (?:[\w.]+ )?account"
    r"|not listed in (?:the )?(?:[\w&]+ ){0,3}(?:directory|address book|name)|undeliverable address"
    r"|unrout(?:e)?able (?:mail )?(?:address|domain)|because the domain is not reachable"
    r"|(?:host|domain)(?: name| or domain name)?(?: \S+){0,3}? (?:(?:is )?unknown|not found"
    r"|does(?: not|"
    r"n't) exist|is not (?:found|registered))|\bnxdomain\b|non-?existent (?:host|domain)"
    r"|(?:no such|unknown|illegal|invalid) (?:host|domain)\b|illegal host/domain|bad destination"
    r"|recip(?:ient)?notfound|unknown local[- ]?part|couldn't find any host named"
    r"|not our customer|null mx"
    r"|domain .{0,30}accepts? no mail" + _EUROPEAN + _ASIAN
)
# RFC 5321's general text for 550, which servers use for unknown users, and for other reasons too.
GONE_MAYBE = re.compile(r"mailbox (?:is )?unavailable|(?:address|recipient) rejected\.?$")
