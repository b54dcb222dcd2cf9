/*
 * Everything that can grow has its limit here, with the reason.  Units are in
 * the names: _bytes, _ms, or a plain count.  Whom each of them holds, and what
 * happens beyond it, are the rows of limits.def, printed into iscsi-limits(5).
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* RFC 7143, section 4.2.7.1: an iSCSI name has at most 223 bytes. */
#define LIMIT_ISCSI_NAME_BYTES 223
/* RFC 7143, section 13.6 and 13.7: aliases; the text-value limit of 6.1 holds. */
#define LIMIT_ALIAS_BYTES 255
/* RFC 7143, section 6.1: a key name has at most 63 bytes. */
#define LIMIT_KEY_NAME_BYTES 63
/* RFC 7143, section 6.1: a value of up to 8192 bytes must be accepted. */
#define LIMIT_KEY_VALUE_BYTES 8192
/* All text of one login request or response, over all its C-bit parts. */
#define LIMIT_LOGIN_TEXT_BYTES 16384
/* RFC 7143, section 6.2: at least six exchanges; a target that needs more than this loops. */
#define LIMIT_LOGIN_EXCHANGES 16
/* A host name, RFC 1123; and an address with brackets, zone, port and tag. */
#define LIMIT_HOST_BYTES    255
#define LIMIT_ADDRESS_BYTES 300
/* Addresses of one host name, and names being looked up at once. */
#define LIMIT_HOST_ADDRESSES 64
#define LIMIT_RESOLVES       1024
/* Targets and addresses one SendTargets answer may name before we call it nonsense. */
#define LIMIT_SENDTARGETS_TARGETS   4096
#define LIMIT_SENDTARGETS_ADDRESSES 64
/* Text a discovery session may send in answer to one SendTargets. */
#define LIMIT_SENDTARGETS_BYTES (8u << 20)
/* PDUs of one text answer: all of these bytes in parts of 512. */
#define LIMIT_TEXT_PARTS 16384

/* Task slots of a session: the queue depth of all its disks together. */
#define LIMIT_TASKS         1024
#define LIMIT_TASKS_DEFAULT 128
/* R2Ts a session negotiates per task (MaxOutstandingR2T). */
#define LIMIT_R2T 8
/* Payload of a PDU that goes to no task (login, text, NOP-In, async, reject, sense). */
#define LIMIT_CONTROL_BYTES 8192
/* RFC 7143, section 11.18.3 and the guide: ping data. */
#define LIMIT_PING_BYTES 4096
/* Sense data kept of a command: SPC's maximum. */
#define LIMIT_SENSE_BYTES 252
/* Additional header segments: TotalAHSLength counts up to 255 words. */
#define LIMIT_AHS_BYTES 1020

/* LUNs taken from one REPORT LUNS: the guide's map, 256 buses of 128. */
#define LIMIT_LUNS            16384
#define LIMIT_LUNS_PER_BUS    128
#define LIMIT_LUNS_PER_TARGET 8
/* LUNs without a unit whose lost caches a session keeps one by one. */
#define LIMIT_HEARD 16
/* Targets for which that is kept when their session is gone; of more it is kept in one. */
#define LIMIT_LOSSES 64
/* Paths to one logical unit. */
#define LIMIT_UNIT_PATHS 16
/* The guide, chapter 6: a target's LUNs are mapped to up to 256 buses. */
#define LIMIT_TARGET_BUSES 256
/*
 * Instances of a class of the I/O tree: LIMIT_SESSIONS and their LUNs at worst.  HP-UX has 256
 * of ext_bus (the guide, chapter 6), so disks of 256 sessions at most; more are needed here.
 */
#define LIMIT_IO_INSTANCES (1u << 20)
/* Sessions of one driver. */
#define LIMIT_SESSIONS 4096
/* Sockets of disks that iscsi_holderd keeps: as many as a target may have LUNs. */
#define LIMIT_HELD_SOCKETS LIMIT_LUNS
/* Addresses of targets that one discovery address may name: a quarter of the sessions. */
#define LIMIT_DISCOVERY_SHARE 1024
/* The longest wait before a new try that a target may ask for, unless configured otherwise. */
#define LIMIT_TIME2WAIT_MS 300000
/* What all sessions of a thread may log of one level in ten seconds: a fleet that is lost fits. */
#define LIMIT_LOG_SESSIONS_LINES 200
/* Connections being opened at once: all sessions of a driver that has just started. */
#define LIMIT_CONNECTS LIMIT_SESSIONS
/* The longest anybody may wait for a connection, or for a name's addresses. */
#define LIMIT_CONNECT_MS 600000
#define LIMIT_RESOLVE_MS 600000
/* RADIUS servers in a row; questions to them that are open; and how long one may take. */
#define LIMIT_RADIUS_SERVERS 8
#define LIMIT_VERIFIES       1024
#define LIMIT_VERIFY_MS      600000

/* SLP: a message that came by TCP (the format allows 16 MiB), and a datagram we send. */
#define LIMIT_SLP_MESSAGE_BYTES  (2u << 20)
#define LIMIT_SLP_DATAGRAM_BYTES 1400
/* Scopes of a request, or of one agent that we look at; and the bytes of a scope. */
#define LIMIT_SLP_SCOPES      16
#define LIMIT_SLP_SCOPE_BYTES 128
/* A URL names a host and an iSCSI name, each character perhaps escaped with three. */
#define LIMIT_SLP_URL_BYTES 2048
/* Agents asked in one discovery; targets it finds; discoveries at once; the longest. */
#define LIMIT_SLP_AGENTS    64
#define LIMIT_SLP_TARGETS   4096
#define LIMIT_SLP_DISCOVERS 8
#define LIMIT_SLP_MS        600000
/* Interfaces of a host on which requests are multicast. */
#define LIMIT_SLP_INTERFACES 64

/* iSNS: servers; a message of one, in all its PDUs, and how many those may be; targets with their
 * addresses that one may name. */
#define LIMIT_ISNS_SERVERS       8
#define LIMIT_ISNS_MESSAGE_BYTES (4u << 20)
#define LIMIT_ISNS_PDUS          4096
#define LIMIT_ISNS_TARGETS       4096
/* A notification; connections that bring some, for each server; how soon after a question the next
 * one is asked for their sake; what a connection may send that nobody asked for. */
#define LIMIT_ISNS_SCN_BYTES 65536
#define LIMIT_ISNS_NOTIFIERS 4
#define LIMIT_ISNS_PACE_MS   200
#define LIMIT_ISNS_STRAYS    16
/* Up to so many addresses that a server names, what cannot be opened is tried again and again: each
 * try costs 100 KiB. */
#define LIMIT_ISNS_KEPT 64
/* The longest question to iisnsd, and how many may wait. */
#define LIMIT_ISNS_MS    600000
#define LIMIT_ISNS_CALLS 32

/* What any value of the registry may have; each has a smaller limit of its own. */
#define LIMIT_REGISTRY_BYTES (1u << 20)
/* All of a registry: it is held in memory.  4,096 targets of 64 addresses each fit. */
#define LIMIT_REGISTRY_FILE_BYTES (96 << 20)
/* Changes of the registry that wait for its disk, and operations whose answers do. */
#define LIMIT_KEEPER_BYTES (1 << 20)
#define LIMIT_KEEPER_WAITS 32
/* Configuration files, a person's: islpd's, and the initiator's name where other initiators have
 * it. */
#define LIMIT_CONFIG_LINES      1000
#define LIMIT_CONFIG_LINE_BYTES 512
#define LIMIT_NAME_FILE_BYTES   8192

/* One line of the control protocol, either way; and clients at once. */
#define LIMIT_IPC_LINE_BYTES (4u << 20)
/* A request is small: an enemy's must not cost memory. */
#define LIMIT_IPC_REQUEST_BYTES (64u << 10)
/* JSON values are nested no deeper, in requests and answers. */
#define LIMIT_IPC_DEPTH 16
/* Requests of one client that are not answered yet. */
#define LIMIT_IPC_CALLS 32
/* Answers that a client has not read yet; beyond it is dropped. */
#define LIMIT_IPC_QUEUE_BYTES (2 * LIMIT_IPC_LINE_BYTES)
/* Clients at once of root and the driver's own user; and of all others, in places of their own. */
#define LIMIT_IPC_CLIENTS   64
#define LIMIT_IPC_STRANGERS 32
/* Of one of the others: whoever takes all he can leaves most places free. */
#define LIMIT_IPC_USER_CLIENTS 8
/*
 * Answers that one of the others has not read, and all of them: while more waits no request
 * of theirs is read.  At most one answer (LIMIT_IPC_LINE_BYTES) comes on top.
 */
#define LIMIT_IPC_USER_BYTES      (1u << 20)
#define LIMIT_IPC_STRANGERS_BYTES (8u << 20)
/* Who has not read a byte of his answers for so long, while they wait, is dropped: others need the
 * room. */
#define LIMIT_IPC_STALL_MS 30000

/* Captures at once; what one has of a worker in memory; and users' data of one PDU that it may
 * have. */
#define LIMIT_CAPTURES      4
#define LIMIT_CAPTURE_BYTES (4u << 20)
#define LIMIT_CAPTURE_SNAP  (1u << 20)

/* Commands of unit.scsi and unit.reserve under way; data of one, in and out; how much of what goes
 * out may stand in the request itself; and the longest that one may take. */
#define LIMIT_PASS_CALLS        16
#define LIMIT_PASS_GUESTS       8 /* until there are so many, unit.reserve begins another one */
#define LIMIT_PASS_BYTES        (1u << 20)
#define LIMIT_PASS_INLINE_BYTES 16384
#define LIMIT_PASS_MS           3600000
/* Until then a client has sent the data that it said it has. */
#define LIMIT_PASS_DATA_MS 30000

/* Clients of the persistent reservation helper, a process each; of all but its own user, and of
 * one of those. */
#define LIMIT_PR_CLIENTS      128
#define LIMIT_PR_STRANGERS    96
#define LIMIT_PR_USER_CLIENTS 32

/* One read or write of a FUSE file: what the kernel sends at most (256 pages). */
#define LIMIT_FUSE_IO_BYTES (1u << 20)
/* FUSE requests under way, of all mounts of one thread; and the data they carry. */
#define LIMIT_FUSE_OPS        1024
#define LIMIT_FUSE_BUSY_BYTES (64u << 20)
/* Of one mount: more than its disks' queue, less than all. */
#define LIMIT_FUSE_MOUNT_OPS 256
/* What a mount gets in any case, so that neighbours whose session hangs do not stop it. */
#define LIMIT_FUSE_SURE_OPS 4
/* Requests of one mount that wait for a device that was taken over and is not there yet. */
#define LIMIT_FUSE_PARKED 1024
/* Bytes of such requests, of all mounts of one thread. */
#define LIMIT_FUSE_PARKED_BYTES (64u << 20)
/* Memory that buffers nobody uses may keep, of one thread. */
#define LIMIT_FUSE_IDLE_BYTES (16u << 20)

/*
 * One read or write by NBD: what Linux's client sends at the most.  Others are told the number,
 * and keep to it.
 */
#define LIMIT_NBD_IO_BYTES (4u << 20)
/* Connections of a disk, also those that are closed while the device has requests of theirs. */
#define LIMIT_NBD_CONNS 16
/*
 * Requests of one connection that are not answered, or whose answers are not read; and their
 * data.  More is not read from it.
 */
#define LIMIT_NBD_CONN_OPS   32
#define LIMIT_NBD_CONN_BYTES (8u << 20)
/* Until then a client that connects has said what it wants; people type no NBD. */
#define LIMIT_NBD_NEGOTIATE_MS 10000

/* One read or write by ublk, and one discard; the kernel cuts what is longer. */
#define LIMIT_UBLK_IO_BYTES      (1u << 20)
#define LIMIT_UBLK_DISCARD_BYTES (1u << 30)
/* Requests of a session's ublk devices that the units have at once, and their data; others wait in
 * the kernel. */
#define LIMIT_UBLK_OPS   256
#define LIMIT_UBLK_BYTES (16u << 20)

/* Filters in front of a disk; and of their text, its end included. */
#define LIMIT_FILTERS       8
#define LIMIT_FILTERS_BYTES 256
/* How much longer one lets a request take. */
#define LIMIT_FILTER_DELAY_US 600000000
/* Requests that one times at once; others wait for it.  More than a unit has under way. */
#define LIMIT_FILTER_TIMED 512

/* Mounts, and loop or ublk devices, that the driver's porter makes: one a session, and many a
 * session. */
#define LIMIT_PORTER_MOUNTS LIMIT_SESSIONS
#define LIMIT_PORTER_LOOPS  65536

#endif
