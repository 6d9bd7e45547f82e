"""What mail systems say of a recipient or domain that is not there, each with who says it.

From the systems' own sources, manuals and error pages; `@rcpt` marks what only the refused
command makes plain (RFC 5321 §4.2.2: 550 to RCPT is "mailbox unavailable").
"""

import re

import pytest

from digest.domain.bounces import BounceKind, Stage, classify

GONE = """
RFC 5321 | 550 Requested action not taken: mailbox unavailable
RFC 5321 | 551 User not local; please try <b@example.org>
RFC 5321 | 553 Requested action not taken: mailbox name not allowed @rcpt
RFC 5321 | 550 @rcpt
RFC 7504 | 556 Domain does not accept mail
RFC 7504 | 521 Server does not accept mail
IANA | 5.1.1 Bad destination mailbox address
IANA | 5.1.2 Bad destination system address
IANA | 5.1.3 Bad destination mailbox address syntax
IANA | 5.1.6 Destination mailbox has moved, No forwarding address
IANA | 556 5.1.10 Recipient address has null MX
Postfix | 550 5.1.1 <a@b.org>: Recipient address rejected: User unknown in virtual alias table
Postfix | 550 5.1.1 <a@b.org>: Recipient address rejected: User unknown in virtual mailbox table
Postfix | 550 <a@b.org>: Recipient address rejected: User unknown in relay recipient table
Postfix | 550 5.1.1 <a@b.org>: Recipient address rejected: undeliverable address: unknown user: "a"
Postfix | 5.4.4 Host or domain name not found. Name service error for name=b.org type=MX: Host \
not found
Postfix | 5.4.4 Name service error for name=b.org type=A: Host found but no data record of \
requested type
Postfix | 5.1.0 Domain b.org does not accept mail (nullMX)
Postfix | 550 5.1.2 <a@b.org>: Recipient address rejected: Domain not found
Postfix | 501 5.1.3 Bad recipient address syntax
Postfix | 5.1.6 User has moved to c@d.org. Please update your address book.
Postfix | 5.1.1 user unknown. Command output: maildrop: no account
Exim | Unrouteable address
Exim | 550-Unrouteable address
Exim | 550 unroutable address
Exim | all relevant MX records point to non-existent hosts
Exim | an MX or SRV record indicated no SMTP service
Exim | unknown local-part "a" in domain "b.org"
Exim | unrouteable mail domain "b.org"
Exim | no such person at this address
Exim | 550 Unknown user @rcpt
Exim | 550 Address a@b.org unknown
cPanel Exim | 550 No Such User Here"
cPanel Exim | 550 The recipient cannot be verified. Please check all recipients of this message. \
@rcpt
qmail | Sorry, no mailbox here by that name. (#5.1.1)
qmail | Sorry, I couldn't find any host named b.org. (#5.1.2)
qmail | Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)
qmail | sorry, I can't accept addresses like that (#5.1.3)
qmail | Sorry, address must include host name. (#5.1.3)
qmail dot-qmail(5) | This address no longer accepts mail.
qmail validrcptto | 550 sorry, this recipient is not in my validrcptto list (#5.7.1)
qmail chkuser | 511 sorry, no mailbox here by that name (#5.1.1 - chkuser)
qmail chkuser | 553 5.1.3 sorry, mailbox syntax not allowed (#5.1.3 - chkuser)
netqmail | 550 sorry, no mailbox here by that name (#5.7.17)
vpopmail | no such mailbox: no user a at b.org
vpopmail | Sorry, no mailbox here by that name. vpopmail (#5.1.1)
Sendmail | 550 5.1.1 <a@b.org>... User unknown
Sendmail | 550 a@b.org... No such user
Sendmail | 550 5.1.2 <a@b.org>... Host unknown (Name server: b.org: host not found)
Sendmail | 550 5.1.2 <a@b.org>... Unrecognized host name b.org
Sendmail | 551 5.1.6 <a@b.org>... User has moved; please try <c@d.org>
Sendmail | 553 5.3.0 <a@b.org>... Address does not exist
Sendmail | 553 5.1.3 <@b.org>... User address required
Sendmail | 550 5.0.0 <a@b.org>... This account has been closed
smail | <a@b.org> ... unknown host
MMDF | (USER) Unknown user name in "a@b.org"
MMDF | (HOST) Unknown host/domain name in "a@b.org"
ZMailer | 554 5.1.1 (Local user does not exist)
PMDF | 550 5.1.1 unknown or illegal alias: a@b.org
VMS | %MAIL-E-NOSUCHUSR, no such user A at node B
X.400 | Unable to transfer: unrecognised O/R name
Courier | 550 User <a@b.org> unknown
Courier | 550 5.1.1 Account does not exist.
Cyrus | 550-Mailbox unknown. Either there is no mailbox associated with this name
Cyrus | 5.1.1 Mailbox does not exist
Dovecot LMTP | 550 5.1.1 <a@b.org> User doesn't exist: a@b.org
OpenSMTPD | 550 Invalid recipient: <a@b.org>
James | 554 Unknown local user: a@b.org
Haraka | 550 I cannot deliver mail for <a@b.org>: no such user
Haraka | 550 Domain not in use
Haraka | 550 This domain is not in use
Synchronet | 550 Unknown User: a@b.org
IMail | Unknown user: a@b.org
XMail | 550 Mailbox unavailable <a@b.org>
XMail | 550 Account not available <a@b.org> @rcpt
SurgeMail | 550 a@b.org is not a valid mailbox
Mercury | 550 There is no one by that name here
ArGoSoft | 550 No such user: a
NTMail | 550 a@b.org is not a known user
IMail | 550 unknown user <a@b.org> @rcpt
IMail | Unknown host: a@b.org
MailEnable | 550 Requested action not taken: mailbox unavailable or not local
hMailServer | 550 Unknown user @rcpt
Kerio | 550 5.1.1 User unknown in this domain
MDaemon | 550 <a@b.org>, Recipient unknown
MDaemon | 550 5.1.1 Recipient unknown <a@b.org>
CommuniGate | 550 a@b.org unknown user account
CommuniGate | 550 host name is unknown
Zimbra | 550 5.1.1 Account not found
Domino | User a (a@b.org) not listed in Domino Directory
Domino | User a not listed in public Name & Address Book
Domino, German | Benutzer a (a@b.org) ist nicht im Domino-Verzeichnis aufgeführt
Domino, French | L'utilisateur a n'est pas répertorié dans l'annuaire Domino
GroupWise | 550 No such recipient
GroupWise | The user name was not found. Unknown recipient
Exchange 2003 | The e-mail account does not exist at the organization this message was sent to.
Exchange 2003 | The recipient's e-mail address was not found in the recipient's e-mail system.
Exchange 5.5 | The recipient name is not recognized. MSEXCH:MSExchangeMTA
Exchange | 550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found
Exchange | 550 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain
Exchange Online | 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient a@b.org not found by SMTP \
address lookup
Exchange Online | 550 5.1.351 Remote server returned unknown recipient or mailbox unavailable
Exchange Online | 550 5.4.1 Recipient address rejected: Access denied. AS(201806281)
Exchange Online | 550 5.4.310 DNS domain b.org does not exist [Message=InfoDomainNonexistent]
Exchange Online | 550 5.1.1 The email address you entered couldn't be found
Outlook.com | 550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)
Outlook.com | 554 The mail could not be delivered because the domain is not reachable
Gmail | 550-5.1.1 The email account that you tried to reach does not exist. Please try
Gmail | 553-5.1.2 We weren't able to find the recipient domain. Please check for any spelling errors
Gmail | 553 5.1.3 The recipient address <a@b> is not a valid RFC-5321 address.
Gmail | Your message wasn't delivered to a@b.org because the address couldn't be found
Gmail | Your message wasn't delivered because the domain b.org couldn't be found
Google Groups | 550 5.1.1 NoSuchUser: the group does not exist
Yahoo | 554 delivery error: dd This user doesn't have a yahoo.com account (a@yahoo.com) [0] - mta1
Yahoo | 552 1 Requested mail action aborted, mailbox not found
Yahoo | 554 delivery error: dd Not a valid recipient - a@yahoo.com
AOL | 550 MAILBOX NOT FOUND
AOL | 550 5.1.1 <a@aol.com>: Recipient address rejected: aol.com
iCloud | 550 5.1.1 <a@icloud.com>: user does not exist
iCloud | 550 5.1.6 recipient no longer on server: a@icloud.com
AT&T | 550 5.2.1 <a@b.org>... Addressee unknown, relay=[192.0.2.1] @rcpt
Comcast | 550 5.1.1 Not our Customer
Facebook | 550 RCP-P1 Recipient address does not exist
GoDaddy | 550 Recipient not found
GMX | 550 5.1.1 <a@gmx.net>... User is unknown {mx007}
web.de | 550 Benutzer nicht bekannt/User unknown
web.de | 550 Unknown local part a in <a@web.de>
Freenet | 550 unrouteable address
Lycos | 550 <a@b.org>: Recipient address rejected: Account Closed
German | 550 Empfaenger unbekannt
German | 550 Postfach existiert nicht
German | 550 Unbekannter Empfänger
German | 550 Es gibt keinen Benutzer mit diesem Namen
German | 550 Kein solcher Benutzer
German | 550 Diese Adresse ist ungültig
Orange | 550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416
La Poste | 550 5.5.0 Adresse destinataire invalide. LPN007_416
French | 550 Utilisateur inconnu
French | 550 boite aux lettres inexistante
French | 550 Le destinataire n’existe pas
French | 550 Aucun utilisateur de ce nom
French | 550 Ce compte n'est plus valide
Libero | 550 RCPT TO:<a@libero.it> User unknown
Italian | 550 Utente sconosciuto
Italian | 550 casella di posta inesistente
Italian | 550 Indirizzo non trovato
Italian | 550 La casella non esiste
Spanish | 550 La cuenta de correo no existe
Spanish | 550 Usuario desconocido
Spanish | 550 No existe el usuario
Spanish | 550 Buzón inexistente
Spanish | 550 Dirección de correo no válida
Portuguese | 550 Caixa postal inexistente
Portuguese | 550 Destinatário não encontrado
Portuguese | 550 Usuário inválido
Portuguese | 550 Conta inexistente
Dutch | 550 Onbekende gebruiker
Dutch | 550 Ontvanger onbekend
Dutch | 550 De mailbox bestaat niet
mail.ru | 550 Message was not accepted -- invalid mailbox. Local mailbox a@mail.ru is \
unavailable: user not found
mail.ru | 550 user not found
Yandex | 550 5.7.1 No such user!
Rambler | 550 5.7.1 <a@b.ru>: Recipient address rejected: No such user
Russian | 550 Почтовый ящик не существует
Russian | 550 Несуществующий адрес
Russian | 550 Такого пользователя нет
Russian | 550 Пользователь не зарегистрирован
QQ | 550 Mailbox not found. http://service.mail.qq.com/cgi-bin/help?id=20022
QQ | 550 The recipient may contain a non-existent account, please check the recipient address.
163 | 550 User not found: a@163.com
163 | 550 Invalid User: a@163.com
Sina | 550 #2175041 unavailable mail user
Coremail | 550 user not known
Coremail | 550 local server don't exists that user
Coremail | 550 not user of this server
Coremail | 550 recipient does not have an account
Chinese servers | 550 RC:LD The email account that you tried to reach does no exists.
Chinese servers | 550 abcd:user not exist
Chinese servers | 551 5.1.1 recipient is not exist
Chinese servers | 550 Local User [a@b.cn] not found.
Chinese servers | 550 5.7.0 a@b.cn... address invalid
Chinese | 550 用户不存在
Chinese | 550 收件人地址不存在
Chinese | 550 没有该用户
Taiwan | 550 查無此人
Naver | 550 5.1.1 The user does not exist - nsmtp
Hanmail | 554 Recipient address rejected: user not exist
Korean | 550 없는 사용자입니다
au | 550 <a@ezweb.ne.jp>: User unknown
docomo | 550 Unknown user a@docomo.ne.jp @rcpt
SoftBank | 550 Invalid recipient: <a@softbank.ne.jp>
Japanese | 550 宛先のユーザーは存在しません
Japanese | 550 該当するユーザがいません
Japanese | 550 送信先アドレスが見つかりません
Japanese | 550 存在しないメールアドレスです
Zoho | 550 Invalid Recipients
Zoho | 550 5.1.1 User does not exist - <a@b.org>
Proofpoint | 550 5.7.1 <a@b.org>: Recipient address rejected: User email address is marked as \
invalid
Proofpoint | 550 5.1.1 User Unknown
Mimecast | 550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550
Barracuda | 550 cuda_nsu <a@b.org>: Recipient address rejected: User unknown
Barracuda | 550 No such user (a@b.org)
IronPort | 550 #5.1.0 Address rejected.
IronPort | 5.1.2 - Bad destination host 'DNS Hard Error looking up b.org (MX): NXDomain'
IronPort | 5.1.0 - Unknown address error 550-'MAILBOX NOT FOUND' (delivery attempts: 0)
MessageLabs | 550-Invalid recipient <a@b.org> (#5.1.1)
Trend Micro | 550 5.1.1 <a@b.org>: Recipient address rejected: User unknown in relay recipient table
Proton | 550 5.1.1 <a@proton.me>: Recipient address rejected: Address does not exist
Infomaniak | 550 Mailbox <a@b.org> does not exist here
SES | 550 5.1.1 Mailbox does not exist
SendGrid | 550 unable to get mx info: lookup b.org: no such host
Mailgun | No MX for b.org
IceWarp | 550 5.1.1 <a@b.org> User unknown; rejecting
PMDF | 550 no such local user a
SonicWall | 550 recipient not found in LDAP
OVH | 550 Mailbox a@b.org does not exist or has been removed
Seznam | 550 Uživatel neexistuje
WP.pl | 550 nie ma takiego użytkownika
Axigen | 550 Domain has no such recipient
many | 550 Nobody by this name lives here
many | 550 We have no record of that address
many | 550 Mailbox no longer in service
many | 550 email address is obsolete
many | 550 Recipient domain has no mail servers
many | 550 RCPT TO:<a@b.org> failed: address not in use
many | 550 5.1.1 User unknown. This mail is confidential and was checked for viruses and spam.
many | 550 The account has been deleted
many | 550 Mailbox has been removed
many | 550 This employee is no longer with the company
many | 550 User no longer on this system
many | 550 a@b.org is no longer a valid address
many | 550 There is no such account on this server
many | 550 no account by that name here
many | 550 Email address could not be found, or was misspelled
many | 550 The email address is not registered
many | 550 recipient is not defined here
many | 550 Recipient not in directory
many | 550 Undefined user
many | 550 Unregistered recipient
many | 550 That e-mail address does not belong to anyone here
many | 550 Mailbox name is invalid
many | 550 5.0.0 Unknown e-mail address
many | 550 Invalid mailbox
many | 550 Destination address is not valid
many | 550 The domain of the recipient does not exist
many | 550 Domain b.org is not hosted here @rcpt
"""


def rows(table: str) -> list[tuple[str, str, Stage]]:
    """Source, reply and stage of each line."""
    found = []
    for line in table.strip().splitlines():
        source, _, said = line.partition(" | ")
        reply, _, stage = said.partition(" @")
        found.append((source, reply, Stage(stage)))
    return found


def code_of(reply: str) -> int:
    found = re.match(r"[245]\d\d(?=[\s-]|$)", reply)
    return int(found[0]) if found else 0


@pytest.mark.parametrize(("source", "reply", "stage"), rows(GONE))
def test_what_is_not_there_is_hard(source: str, reply: str, stage: Stage) -> None:
    assert classify(code_of(reply), reply, stage=stage) is BounceKind.HARD, source
