"""What mail systems say that is no recipient's death: full, shut, late, or about the sender.

From the systems' own sources, manuals and error pages, each with who says it.
"""

import pytest

from digest.domain.bounces import BounceKind, Stage, classify
from tests.domain.test_bounces_gone import code_of, rows

NOT_NOW = """
IANA | 5.2.2 Mailbox full
IANA | 5.2.1 Mailbox disabled, not accepting messages
IANA | 5.3.1 Mail system full
IANA | 5.4.7 Delivery time expired
IANA | 525 5.7.13 User account disabled
RFC 5321 | 552 Requested mail action aborted: exceeded storage allocation
Postfix | 552 5.2.2 <a@b.org>: Recipient address rejected: Mailbox is full @rcpt
Postfix | 5.4.4 Name service error for name=b.org type=MX: Malformed or unexpected name server reply
Postfix | 4.4.3 Host or domain name not found. Name service error for name=b.org type=MX: Host \
not found, try again
Postfix | connect to mx.b.org[192.0.2.1]:25: Connection refused
Postfix | connect to mx.b.org[192.0.2.1]:25: No route to host
Postfix | conversation with mx.b.org timed out while receiving the initial server greeting
Postfix | 5.2.2 cannot update mailbox /var/mail/a for user a. error writing message: Disc quota \
exceeded
Postfix | 5.2.2 cannot update mailbox: file too big
Postfix | maildir delivery failed: create /var/mail/a/tmp/1: No space left on device
Postfix | 450 4.1.1 <a@b.org>: Recipient address rejected: User unknown in local recipient table
Postfix | 450 4.1.1 <a@b.org>: Recipient address rejected: unverified address: connection refused
Exim | mailbox is full: retry timeout exceeded
Exim | retry time not reached for any host after a long failure period
Exim | host lookup did not complete: retry timeout exceeded
Exim | all hosts for 'b.org' have been failing for a long time and were last tried after this \
message
Exim | Connection timed out: retry timeout exceeded
qmail | CNAME lookup failed temporarily. (#4.4.3)
qmail | Sorry, I couldn't find any host by that name. (#4.1.2)
qmail | Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)
qmail | I'm not going to try again; this message has been in the queue too long.
qmail | Temporary error on maildir delivery. (#4.3.0)
vpopmail | user is over quota (#5.2.2)
vpopmail | 552 5.7.1 recipient overquota
vpopmail | 550 account disabled
Sendmail | 421 b.org: Deferred: Connection reset by b.org
Sendmail | Warning: could not send message for past 4 hours
Sendmail | Message could not be delivered for 5 days. Message will be deleted from queue
Cyrus | 552 5.2.2 Over quota
Dovecot LMTP | 552 5.2.2 <a@b.org> Quota exceeded (mailbox for user is full) @rcpt
Exchange | 554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException
Exchange | 550 5.2.2 The recipient's mailbox is full and can't accept messages now.
Exchange | 432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded
Exchange | 550 4.4.7 QUEUE.Expired; message expired
Exchange Online | 550 5.4.316 Message expired, connection refused(Socket error code 10061)
Exchange Online | 550 5.2.1 mailbox cannot be accessed. Mailbox disabled
Gmail | 550-5.2.1 The email account that you tried to reach is inactive. Learn more at
Gmail | 550 5.2.1 The email account that you tried to reach is disabled. DisabledUser
Gmail | 552-5.2.2 The recipient's inbox is out of storage space and inactive. OverQuotaPerm
Gmail | 450 4.2.1 The user you are trying to contact is receiving mail too quickly
Gmail | The recipient server did not accept our requests to connect.
Yahoo | 554 delivery error: dd Sorry, your message to a@yahoo.com cannot be delivered. This \
account is over quota.
Yahoo | 554 delivery error: dd This account has been disabled or discontinued [#101].
Yahoo | 554 30 Sorry, your message to a@yahoo.com cannot be delivered. This mailbox is disabled \
(554.30)
AOL | 552 5.2.2 : AOL mailbox is full
T-Online | 552 5.2.2 Over STORAGE quota
web.de | 550 Benutzer hat das Speichervolumen ueberschritten. / User has exhausted allowed \
storage space.
web.de | 550 User has too many messages on the server.
GMX | 550 5.2.1 <a@gmx.net>... User is inactive {mx007}
GMX | 552 Quota exceeded for this recipient
Free | 550 5.2.1 This mailbox has been suspended due to inactivity
Bellsouth | 550 Mailbox currently suspended - Please contact your correspondent
mail.ru | 550 Message was not accepted -- invalid mailbox. Local mailbox a@mail.ru is \
unavailable: account is disabled
mail.ru | 552 5.2.2 User quota exceeded
i.ua | 550 Mailbox is frozen @rcpt
Symantec | 550 Requested action aborted: this mail not accepted (#4.4.5)
Yahoo | 451 VS1-IP Excessive unknown recipients - possible Open Relay
Yandex | 552 5.2.2 Mailbox size limit exceeded
163 | 550 User suspended: a@163.com @rcpt
QQ | 550 Mailbox unavailable or access denied: user is frozen
21cn | 550 a@21cn.com is now disabled with SMTP service
Coremail | 550 user hangup, account suspended
Coremail | 550 This account has been temporarily suspended @rcpt
Barracuda | 550 Mailbox temporarily unavailable @rcpt
Domino | Mail file has exceeded its quota
GroupWise | 550 Mailbox disk space limit exceeded
MDaemon | 552 Mailbox is full; message not accepted
CommuniGate | a@b.org account is full (quota exceeded)
hMailServer | 550 The recipient's mailbox is full. Inbox full @rcpt
Zimbra | 552 5.2.2 Over quota
MailEnable | 550 Mailbox has exceeded its size limit @rcpt
IMail | 550 mailbox full @rcpt
many | 550 Cannot verify recipient right now @rcpt
many | 550 unable to find user database @rcpt
many | 550 mailbox over its limit @rcpt
many | 550 LDAP lookup failed for recipient @rcpt
many | 550 This user's mailbox can not receive mail, storage used up @rcpt
many | 550 Account locked @rcpt
many | 550 Account is on hold @rcpt
many | 550 Recipient is over the maximum number of messages @rcpt
many | 550 The user has stopped receiving mail for now @rcpt
many | 550 Recipient mailbox busy @rcpt
many | 550 This mailbox is not active @rcpt
many | 550 Insufficient disk space for this recipient @rcpt
German | 550 Das Postfach des Empfängers ist voll
German | 550 Postfach ist gesperrt
German | 550 Konto vorübergehend deaktiviert
French | 550 La boîte du destinataire est pleine
French | 550 Compte désactivé
French | 550 Le quota du destinataire est dépassé
Spanish | 550 El buzón del destinatario está lleno
Spanish | 550 Cuenta suspendida
Spanish | 550 Usuario deshabilitado
Italian | 550 La casella del destinatario è piena
Italian | 550 Casella disabilitata
Italian | 550 Utente sospeso
Portuguese | 550 Caixa postal do destinatário cheia
Portuguese | 550 Conta bloqueada
Portuguese | 550 Usuário desativado
Dutch | 550 De mailbox van de ontvanger is vol
Russian | 550 Почтовый ящик переполнен
Russian | 550 Пользователь заблокирован
Chinese | 550 收件人邮箱已满
Chinese | 550 用户已被停用
Chinese | 550 用户被冻结
Japanese | 550 メールボックスの容量を超えています
Japanese | 550 アカウントは停止されています
"""

ABOUT_US = """
Postfix | 554 5.7.1 <a@b.org>: Relay access denied @rcpt
Postfix | 554 5.7.1 <a@b.org>: Recipient address rejected: Access denied @rcpt
Postfix | 554 5.7.1 <m@us.org>: Sender address rejected: Access denied @rcpt
Postfix | 550 5.1.8 <m@us.org>: Sender address rejected: Domain not found @rcpt
Postfix | 550 5.1.0 <m@us.org>: Sender address rejected: User unknown in virtual alias table @rcpt
Postfix | 550 5.1.7 <m@us.org>: Sender address rejected: undeliverable address: host said: 550 \
unknown @rcpt
Postfix | 504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname @rcpt
Postfix | 550 5.7.1 <x>: Helo command rejected: Host not found @rcpt
Postfix | 554 5.7.1 <us.org[192.0.2.1]>: Client host rejected: Access denied @rcpt
Postfix | 550 5.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.1] @rcpt
Postfix | 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org \
@rcpt
Postfix | 550 5.3.4 Message size exceeds fixed limit
Postfix | 552 5.3.4 Message size exceeds fixed limit @rcpt
Postfix | 5.4.6 mail for b.org loops back to myself
Postfix | 5.4.0 Error: too many hops
Postfix | 530 5.7.0 Must issue a STARTTLS command first @rcpt
Postfix | 550 5.7.1 <a@b.org>: Recipient address rejected: Please see http://www.openspf.net/Why \
@rcpt
Exim | 550 relay not permitted @rcpt
Exim | 550 Administrative prohibition @rcpt
Exim | 550-Verification failed for <m@us.org> 550-Unrouteable address 550 Sender verify failed @rcpt
Exim | 550 Sender verify failed @rcpt
Exim | 550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1) @rcpt
Exim | 550 rejected because 192.0.2.1 is in a black list at dnsbl.example.net @rcpt
Exim | message size exceeds fixed maximum message size
Exim | 550 Unroutable sender address @rcpt
qmail | 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1) @rcpt
qmail | 552 sorry, that message size exceeds my databytes limit (#5.3.4)
qmail | 554 too many hops, this message is looping (#5.4.6)
qmail | 553 sorry, your envelope sender is in my badmailfrom list (#5.7.1) @rcpt
qmail | 553 sorry, your envelope sender domain must exist (#5.7.1) @rcpt
Sendmail | 550 5.7.1 <a@b.org>... Relaying denied @rcpt
Sendmail | 553 5.1.8 <m@us.org>... Domain of sender address m@us.org does not exist @rcpt
Sendmail | 501 5.1.8 Sender domain must exist @rcpt
Sendmail | 550 5.7.1 <a@b.org>... Relaying denied. IP name lookup failed [192.0.2.1] @rcpt
Sendmail | 550 5.7.1 Fix reverse DNS for 192.0.2.1 @rcpt
Sendmail | 554 5.4.6 Too many hops 26 (25 max)
Sendmail | 552 5.2.3 Message is too large; 10485760 bytes max
Courier | 550 Mail from [192.0.2.1] is not accepted here @rcpt
Exchange | 550 5.7.1 Unable to relay for a@b.org @rcpt
Exchange | 550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain @rcpt
Exchange | 550 5.7.1 RESOLVER.RST.AuthRequired; authentication required @rcpt
Exchange | 550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized @rcpt
Exchange | 550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient
Exchange | 530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM \
@rcpt
Exchange Online | 550 5.7.124 Sender not in allowed-senders list @rcpt
Exchange Online | 550 5.7.133 Sender not authenticated for group @rcpt
Exchange Online | 550 5.7.606 Access denied, banned sending IP [192.0.2.1] @rcpt
Exchange Online | 550 5.7.23 The message was rejected because of Sender Policy Framework violation
Exchange Online | 550 5.7.64 TenantAttribution; Relay Access Denied @rcpt
Exchange Online | 550 5.7.708 Service unavailable. Access denied, traffic not accepted from this \
IP @rcpt
Exchange Online | 550 5.1.8 Access denied, bad outbound sender AS(42003)
Exchange Online | 554 5.4.14 Hop count exceeded - possible mail loop ATTR34
Exchange Online | 550 5.7.509 Access denied, sending domain us.org does not pass DMARC verification
Gmail | 550-5.7.1 [192.0.2.1] Our system has detected that this message is likely unsolicited mail
Gmail | 550-5.7.26 This mail has been blocked because the sender is unauthenticated.
Gmail | 552-5.7.0 This message was blocked because its content presents a potential security issue
Gmail | 552-5.2.3 Your message exceeded Google's message size limits
Gmail | 550 5.4.5 Daily SMTP relay sending limit exceeded for customer
Gmail | 550 5.7.1 Messages missing a valid address in From: header are not accepted
Gmail | 555 5.5.2 Syntax error, goodbye
Yahoo | 553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is listed
Yahoo | 554 Message not allowed - [PH01] Email not accepted for policy reasons
Yahoo | 550 relaying denied for <a@yahoo.com> @rcpt
AOL | 554 5.7.1 : (DYN:T1) Your mail could not be delivered because it originates from dynamic \
IP space
AOL | 550 a IS NOT ACCEPTING MAIL FROM THIS SENDER @rcpt
Cox | 550 5.1.0 <m@us.org> sender rejected. Refer to Error Codes section
Comcast | 550 5.7.1 Client host blocked @rcpt
Spambrella | 550 5.1.0 sender rejected @rcpt
AT&T | 550 5.7.1 Connections not accepted from servers without a valid sender domain @rcpt
iCloud | 550 5.7.1 Your email was rejected due to having a domain present in a block list
GMX | 554 Transaction failed, reject due to policy restrictions
T-Online | 554 IP=192.0.2.1 - None/bad reputation. Ask your postmaster for help
Compuserve | 554 Refused. Your reverse DNS entry contains your IP address and a country code.
QQ | 550 Mail content denied
QQ | 550 Ip frequency limited @rcpt
QQ | 550 Domain frequency limited @rcpt
163 | 554 DT:SPM 163 smtp1 content rejected as spam
Coremail | 550 Requested mail action not taken: Fake sender @rcpt
Coremail | 550 Requested mail action not taken: Invalid IP @rcpt
Coremail | 550 Requested action not taken: Local user only @rcpt
Coremail | 550 User in blacklist @rcpt
Coremail | 550 IP is rejected @rcpt
Coremail | 550 sender is rejected @rcpt
mail.ru | 550 spam message rejected. Please visit http://help.mail.ru/notspam-support/
mail.ru | 550 Access from ip address 192.0.2.1 blocked. @rcpt
Yandex | 554 5.7.1 Message rejected under suspicion of SPAM
Mimecast | 550 Rejected by header based manually Blocked Senders @rcpt
Mimecast | 550 Envelope blocked - User Entry @rcpt
Mimecast | 554 Email rejected due to security policies
Mimecast | 550 SPF Sender Invalid - envelope rejected @rcpt
Mimecast | 550 Submission address blocked @rcpt
Proofpoint | 554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1 @rcpt
Barracuda | 550 rejecting spoofed message
Barracuda | 550 Blocked @rcpt
IronPort | 554 Your access to this mail system has been rejected due to the sending MTA's poor \
reputation
MessageLabs | 553 Message filtered. Refer to the Troubleshooting page
Trend Micro | 550 5.7.1 Service unavailable; Client host blocked using Trend Micro Email Reputation
IMail | 550 not local host b.org, not a gateway @rcpt
Mercury | 553 We do not relay non-local mail, sorry. @rcpt
hMailServer | 550 Delivery is not allowed to this address. @rcpt
Zoho | 553 Relaying disallowed. Invalid Domain - b.org @rcpt
Zoho | 554 5.2.3 MailPolicy violation Error delivering to mailboxes
SES | 554 Message rejected: Email address is not verified.
Haraka | 550 Not authorized @rcpt
many | 550 Too many invalid recipients from your host @rcpt
many | 550 Your host tried too many unknown users @rcpt
many | 550 Denied @rcpt
many | 550 Rejected @rcpt
many | 550 Mail refused @rcpt
many | 550 Connection refused by policy @rcpt
many | 550 You are not allowed to send to this address @rcpt
many | 550 You are not a member of this mailing list @rcpt
many | 550 Recipient does not accept mail from you @rcpt
many | 550 User does not want mail from this sender @rcpt
many | 550 Unknown sender domain @rcpt
many | 550 Your mail server's host name is unknown to DNS @rcpt
many | 550 Your domain does not exist @rcpt
many | 550 Invalid HELO: domain not found @rcpt
many | 550 Bad sequence of commands @rcpt
many | 550 Authentication is required for relay @rcpt
many | 550 return address not found @rcpt
many | 550 Reply address invalid @rcpt
many | 550 5.6.0 Invalid MIME: name not found
many | 550 Sending domain's MX does not exist @rcpt
many | 550 No reverse DNS for your IP @rcpt
many | 550 SMTP authentication failed: user unknown or password wrong
German | 550 Absender unbekannt @rcpt
German | 550 Nachricht abgelehnt @rcpt
French | 550 Expéditeur inconnu @rcpt
French | 550 Mail rejeté @rcpt
Spanish | 550 Mensaje rechazado por contener spam
Russian | 550 Отправитель не найден @rcpt
Japanese | 550 受信拒否 @rcpt
"""


@pytest.mark.parametrize(("source", "reply", "stage"), rows(NOT_NOW))
def test_what_passes_is_soft(source: str, reply: str, stage: Stage) -> None:
    assert classify(code_of(reply), reply, stage=stage) is BounceKind.SOFT, source


@pytest.mark.parametrize(("source", "reply", "stage"), rows(ABOUT_US))
def test_what_is_held_against_the_sender_is_policy(source: str, reply: str, stage: Stage) -> None:
    assert classify(code_of(reply), reply, stage=stage) is BounceKind.POLICY, source
