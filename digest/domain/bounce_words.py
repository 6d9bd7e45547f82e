"""The words by which mail systems say why they refuse, in the languages they say it in.

All patterns are for lower-case text with single spaces. What may repeat within them is bounded, so
that no text takes quadratic time.
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
    r"|mismatch\w{0,9} client ip|valid sender domain|\bbad dns\b"
    r"|relay(?:ing)?,? (?:is |access )?(?:denied|not|prohibited|disallowed|forbidden)"
    r"|(?:not|unable|refus\w{1,9}|permitted|allowed) to relay|no relaying|not relay"
    r"|not (?:a )?local(?: host)?,.{0,40}gateway|is not in my (?:control/locals"
    r"|list of allowed rcpt)"
    r"|too many (?!messages on)|rate[ -]limit|limit(?:s|ed)? (?:the )?rate|throttl|too (?:fast"
    r"|frequent|quickly)"
    r"|(?:daily|hourly|sending|relay|message|connection)s? (?:relay )?(?:quota|limit)"
    r"|(?:sender|mail ?from|from address|from domain|(?:return|reply)[- ](?:path|address)"
    r"|sending domain|envelope from"
    r"|your domain|originat\w{1,9} (?:address|domain))\b.{0,60}"
    r"(?:reject|denied|invalid|unknown|verif|exist|resolv|refus|not found|not allowed|listed)"
    r"|(?:for|of) (?:the |your )?sender|\bin helo\b|\bfrom header"
    r"|\bheaders? invalid"
    r"|invalid sender|unknown sender|unverified sender"
    r"|message (?:is |was )?(?:size|too (?:big|large|long)|exceeds)"
    r"|(?<!mailbox )(?<!its )size (?:limit|exceeds)"
    r"|too large"
    r"|(?:must|need to|require\w{0,9}) (?:to )?"
    r"(?:authenticate|use tls|issue a starttls|be encrypted)"
    r"|authentication (?:is )?(?:required|fail)|encryption (?:is )?required|rfc ?-?\d{3,4} complian"
    r"|not (?:comply|compl[iy]\w{1,9}|conform\w{0,9}) (?:with|to)"
    r"|content (?:reject|restrict|filter|denied)"
    r"|rejected (?:due to|because of|by|for) (?:its |the |your )?(?:content|local policy|policy)"
    r"|not (?:a )?(?:subscribed |list )?member|only members|unwanted|looping|mail loop|hop count"
    r"|loops back|administrative(?:ly)? prohibit|spoof|(?:fake|unroute?able) sender"
    r"|(?:accept\w{0,9}|want) (?:any |e-?)?(?:mail|messages) from"
    r"|mail from \S* ?(?:is )?not accepted"
    r"|\byour (?:mail )?(?:server|host|domain|ip)(?:'s)?\b.{0,30}(?:unknown|not|no )"
    r"|too many .{0,20}(?:unknown|invalid|bad)|excessive|open relay|frequency limit"
    r"|password (?:is )?(?:wrong|invalid)|wrong password|or password|sequence of commands"
    r"|relay(?:ing)? disallowed|invalid ip\b|\bip is (?:rejected|hangup|not|block|list)"
    r"|not a gateway|local users? only|by policy|invalid helo|message filtered|mail ?policy"
    r"|envelope (?:blocked|rejected)"
    r"|(?:absender|expéditeur|remitente|remetente|mittente|отправител)\w{0,20}\b.{0,30}"
    r"(?:unbekannt|abgelehnt|inconnu|rejet|desconoc|rechaz|desconhec|rejeit|sconosc|rifiut"
    r"|не найден|отклон|не существ)|受信拒否|^\d{3} (?:message |e?-?mail |nachricht )?"
    r"(?:rejected|denied|refused|blocked|abgelehnt|rejet[eé]e?)\b"
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
    r"|(?:could not|can ?not) create|no space left|exceed\w{0,9} .{0,30}(?:storage"
    r"|space|size|capacity)|"
    r"receiving (?:mail|messages) at"
    r"|temporar|transient|gr[ae]y ?-?list|try again later|again later|later again|"
    r"(?:not|be) delayed"
    r"|host not found,? try again|timed? ?-?out|time ?limit|expired|(?:queue|system) too long"
    r"|\bbusy\b|system full|retry (?:time|limit)|giving up after|(?:aborted|delivered|queued?|tried"
    r"|g[ai]ven? up) .{0,20}(?:after|for) [\d.]+ (?:hour|day|minute)|multiple retries|deferred"
    r"|has been delayed|too busy"
    r"|connection (?:was |has been )?(?:refused|reset|dropped|lost|closed|failed)|lost connection"
    r"|(?:unable|could not|can ?not|failed) to (?:connect|establish|contact)"
    r"|not able to (?:connect|establish|contact)|did not accept our requests to connect"
    r"|no route to host|network (?:is )?unreachable|socket error|hosts? ha(?:ve|s) been failing"
    r"|voll\b|speicherplatz|überschritten|pleine?\b|saturée|dépassé|llen[oa]\b|cuota|excedid"
    r"|chei[oa]\b|piena\b|superat[oa]|переполнен|превыш|квот|満杯|容量|いっぱい|已满|超出|已滿|초과"
)
# The mailbox is shut, and may be opened again.
SHUT = re.compile(
    r"disabled|suspend|inactive|not active|deactivated|locked|frozen|on hold|discontinued by"
    r"|not accepting (?:mail|messages|e-?mail)|not accepting|not collected|not been collected"
    r"|dormant|stopped|hangup|заблокирован|отключ|заморож|gesperrt|deaktiviert|désactivé|suspend"
    r"|deshabilit|desativad|desactivad|disabilitat|sospes|bloquead|bloccat|停用|冻结|凍結|停止|중지"
)
_WHO = (
    r"(?:users?|user ?(?:name|id)|mail ?box(?:es)?(?: (?:name|syntax))?|accounts?|recipients?"
    r"|address(?:ees?|es)?|persons?|e-?mail(?: (?:address|account))?|names?|alias(?:es)?"
    r"|local[- ]?part|customers?|subscribers?|employees?|destination|rcpt|o/?r[- ]names?)"
)
_NO_MORE = r"(?:no longer|not any ?more)"
_IS_NOT = (
    r"(?:(?:does|do|did) ?(?:not?) (?:appear to )?exists?"
    r"|(?:was |were |is |are |could |can ?)?not (?:be )?(?:found|known|exists?|located|listed|valid"
    r"|recogni[sz]ed|resolved|registered|defined|in use|local\b|hosted|belong"
    r"|in (?:the |our |my |this )?(?:\w+ ){0,2}(?:directory|list|table|database|address book))"
    r"|(?:is |are )?(?:marked as )?(?:unknown|invalid|illegal|non-?existent|undefined"
    r"|unregistered|unrecogni[sz]ed)"
    rf"|(?:is |are )?{_NO_MORE} (?:an? )?(?:exist|in service|valid|available|in use|on |here|with"
    rf"|active"
    r"|work|employ|accept|receiv|at |known)\w*"
    r"|(?:has |is |was )?(?:been )?(?:permanently )?(?:deleted|closed|terminated|removed"
    r"|cancell?ed|expunged)"
    r"|has (?:left|moved)|is obsolete)"
)
_EUROPEAN = (
    # German, Dutch, Scandinavian
    r"|(?:benutzer|empf(?:ä|ae)nger|teilnehmer|postfach|konto|adresse)\w{0,20}\b.{0,60}"
    r"(?:unbekannt|existiert nicht|nicht (?:\S+ ){0,3}(?:gefunden|vorhanden|bekannt|aufgeführt"
    r"|gelistet|eingetragen)|ungültig)"
    r"|(?:unbekannte|keine?)[rsnm]? (?:solche[rsnm]? )?(?:benutzer|empf|postfach|adresse|konto)"
    r"|(?:gebruiker|ontvanger|adres|postbus|mailbox)\b.{0,40}"
    r"(?:onbekend|bestaat niet|niet gevonden)|onbekende? (?:gebruiker|ontvanger|adres)"
    r"|(?:användare|mottagare|bruker|mottaker|bruger|modtager)\w{0,20}\b.{0,40}"
    r"(?:okänd|ukjent|ukendt|finns inte|finnes ikke|findes ikke)"
    # French, Spanish, Portuguese, Italian
    r"|(?:utilisateur|destinataire|adresse|compte|bo[iî]te)\w{0,20}\b.{0,60}"
    r"(?:inconnu|n.existe p|inexistant|invalide|introuvable|non recens"
    r"|n.est p(?:as|lus) (?:répertori|connu|valide|attribu))"
    r"|aucun(?:e)? (?:utilisateur|destinataire|compte|adresse|bo[iî]te)"
    r"|(?:usuario|destinatario|direcci[oó]n|cuenta|buz[oó]n)\w{0,20}\b.{0,40}"
    r"(?:desconocid|no existe|inexistente|no encontrad|inv[aá]lid|no (?:es )?v[aá]lid)"
    r"|no existe (?:el |la |es[ea] |est[ea] |ning[uú]n )?(?:usuario|destinatario|direcci|cuenta"
    r"|buz)"
    r"|(?:usu[aá]rio|destinat[aá]rio|endere[cç]o|conta|caixa)\w{0,20}\b.{0,40}"
    r"(?:desconhecid|n[aã]o existe|inexistente|n[aã]o encontrad|inv[aá]lid)"
    r"|(?:utente|destinatario|casella|indirizzo|account)\b.{0,40}"
    r"(?:sconosciut|non esiste|inesistente|non trovat|non valid)"
    # Slavic
    r"|(?:пользовател|адрес|ящик|получател|аккаунт)\w{0,20}\b.{0,60}"
    r"(?:не существует|не найден|не зарегистр|неизвест|удал[её]н)"
    r"|(?:неизвестн|несуществующ)\w{1,9} (?:пользовател|получател|адрес|почтов|ящик)"
    r"|нет так(?:ого|их) (?:пользовател|получател|адрес)|нет почтового ящика"
    r"|так(?:ого|ой) (?:пользовател|получател|адрес|ящик)\w{0,9} (?:нет|не )"
    r"|(?:użytkownik|adresat|skrzynk|konto|odbiorc)\w{0,20}\b.{0,40}"
    r"(?:nieznan|nie istnieje|nie znalez)"
    r"|nie ma takiego (?:u[żz]ytkownik|adres|kont|odbiorc)"
    r"|(?:uživatel|příjemce|schránka|adresa)\w{0,20}\b.{0,40}(?:neznám|neexistuje)"
)
_ASIAN = (
    r"|(?:宛先|あて先|送信先|ユーザ|アドレス|受信者|アカウント|該当).{0,30}"
    r"(?:存在しま|存在しない|見つかりま|みつかりま|ありませ|いませ|不明|ございませ)|宛先不明"
    r"|存在しない(?:メール)?(?:アドレス|ユーザ|宛先)"
    r"|(?:用户|用戶|收件人|收件者|账号|帐号|邮箱|信箱|地址|使用者).{0,20}(?:不存在|未找到|找不到|无效|無效)"
    r"|(?:无此|無此|查無此|没有这个|没有该|没有此)(?:用户|用戶|收件|使用者|邮箱|人)"
    r"|(?:找不到|不存在的)(?:用户|收件|邮箱)"
    r"|(?:사용자|수신자|계정|주소).{0,20}(?:존재하지|찾을 수 없|없습니다|없는)"
    r"|(?:없는|존재하지 않는) (?:사용자|수신자|계정|주소|메일)"
)
_NO_HOST = (
    r"(?:host|domain)(?: name| or domain name)?(?: (?!sender|your)\S+){0,4}? (?:(?:is )?unknown"
    r"|does not exist|(?:is |could )?not (?:be )?(?:found|registered|in use|hosted|served))"
    r"|\bnxdomain\b|(?:non-?existent|no such|unknown|unrecogni[sz]ed|illegal|invalid|bad)"
    r" (?:destination |recipient )?(?:hosts?|domains?)\b|unknown host/|illegal host/domain"
    r"|\bno (?:mx|mail (?:exchanger|server)s?)\b|no data record of|domain is not reachable"
    r"|null ?mx\b"
    r"|domain .{0,30}accepts? no mail"
)
# The recipient or its domain is not there.
GONE_WORDS = re.compile(
    rf"(?<!may )(?<!might )\b{_WHO}\b[^.;]{{0,60}}?(?<!may )(?<!might )\b{_IS_NOT}"
    r"|\b(?:unknown|invalid|no such|non-?existent|bad|undefined|unregistered|unavailable"
    r"|unrecogni[sz]ed)"
    rf" (?:(?!sender|error)[\w-]+ ){{0,2}}?{_WHO}\b(?! (?:error|failure|server))"
    rf"|\bnot an? (?:known|valid|registered) (?:\w+ )?{_WHO}|\bnot (?:our )?(?:user|customer)\b"
    rf"|\bno (?:\w+ )?{_WHO} (?:\S+ )?(?:here|by|at|with|on)\b"
    rf"|\bno(?: ?one|body) (?:here )?by th(?:at|is) name|\bno (?:record|trace) of (?:\w+ )?{_WHO}"
    r"|no valid recipients?|not have an? (?:[\w.]+ )?account|not exists? (?:that|this|such) user"
    rf"|(?:(?:can|could) ?not|unable to|not able to) (?:find|locate) (?:(?!for|your)\w+ ){{0,3}}"
    rf"(?:{_WHO}|domain|host|mail exchanger)\b(?! (?:database|server|directory))"
    r"|undeliverable address"
    r"|not listed in (?:the )?(?:[\w&]+ ){0,3}(?:directory|address book|name)"
    r"|unrout(?:e)?able (?:mail )?(?:address|domain)|bad destination|recip(?:ient)?notfound"
    r"|nosuchuser|mailbox (?:name|syntax) not allowed|mailbox unavailable or not local"
    rf"|{_NO_HOST}" + _EUROPEAN + _ASIAN
)
# Words by which the same may be said of another than the recipient, or may pass.
OF_OTHERS = re.compile(
    r"sender|mail from|return[- ]path|relay|\bhelo\b|client|quota|\bfull\b|disabled|suspend"
    r"|procmail|temporar|too many"
)
# RFC 5321's general text for 550, which servers use for unknown users, and for other reasons too.
GONE_MAYBE = re.compile(r"mailbox (?:is )?unavailable|(?:address|recipient) rejected[.:]?$")
# What a refusal of RCPT speaks of when it says nothing else, and what makes such a one doubtful.
SPOKEN_OF = re.compile(rf"^(?:\d{{3}}[ -]?)?(?:#?5\.\d\.\d )?$|\b(?:{_WHO}|domain)\b")
DOUBTS = re.compile(
    r"reject|refus|den(?:y|ied)|accept|allow|permi|maxim|exceed|limit|filter|auth|content|only\b"
    r"|\bfrom\b|sender|secur|protect|violat|error|fail|list|connect|relay|moderat|restrict"
    r"|unable|space|size|protocol|syntax|invalid (?:ip|command)|expired?\b|wait|hold|verify|now\b"
    r"|receive|storage|used up"
)
