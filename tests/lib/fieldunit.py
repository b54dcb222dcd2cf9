"""A logical unit of a FieldTarget: its names, its blocks, and what it answers to each command.  Bytes only, no sockets."""
import hashlib
import struct
import threading

GOOD, CHECK_CONDITION, BUSY, RESERVATION_CONFLICT, TASK_SET_FULL = 0x00, 0x02, 0x08, 0x18, 0x28
TEST_UNIT_READY, REQUEST_SENSE, INQUIRY, MODE_SENSE_6, START_STOP_UNIT = 0x00, 0x03, 0x12, 0x1a, 0x1b
READ_CAPACITY_10, READ_10, WRITE_10, SYNCHRONIZE_CACHE_10, UNMAP, MODE_SENSE_10 = 0x25, 0x28, 0x2a, 0x35, 0x42, 0x5a
READ_16, WRITE_16, SYNCHRONIZE_CACHE_16, WRITE_SAME_16, SERVICE_ACTION_IN_16 = 0x88, 0x8a, 0x91, 0x93, 0x9e
REPORT_LUNS = 0xa0
READS, WRITES = (READ_10, READ_16), (WRITE_10, WRITE_16)
FLUSHES = (SYNCHRONIZE_CACHE_10, SYNCHRONIZE_CACHE_16)
PAGES, SERIAL, DESIGNATORS, LIMITS, CHARACTERISTICS, PROVISIONING = 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2
CHUNK = 1 << 16
WELL_KNOWN_REPORT_LUNS = b"\xc1\x01" + bytes(6)


def sense(key, asc, ascq=0, deferred=False):
    """Fixed format, SPC-4, section 4.5.3."""
    return bytes([0x71 if deferred else 0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0])


class Answer:
    """What a command ends with."""

    def __init__(self, status=GOOD, data=b"", sense_data=b""):
        self.status, self.data, self.sense = status, data, sense_data


def check(key, asc, ascq=0, deferred=False):
    return Answer(CHECK_CONDITION, sense_data=sense(key, asc, ascq, deferred))


NOT_SUPPORTED = check(5, 0x25)
BAD_FIELD, BAD_OPCODE, OUT_OF_RANGE = check(5, 0x24), check(5, 0x20), check(5, 0x21)


def peripheral(lun):
    return bytes([0, lun]) + bytes(6)


def flat(lun):
    return struct.pack(">H", 0x4000 | lun) + bytes(6)


def address(lun):
    """The 8 bytes of a LUN as most targets write it: flat space from 256 up, where peripheral device addressing ends."""
    return lun if isinstance(lun, bytes) else peripheral(lun) if lun < 256 else flat(lun)


def naa(seed):
    """An NAA designator (6h) that follows from the seed."""
    digest = hashlib.md5(seed).digest()
    return bytes([0x01, 0x03, 0, 16, 0x60 | digest[0] & 15]) + digest[1:]


def t10(text):
    return bytes([0x02, 0x01, 0, 8 + len(text)]) + b"EXAMPLE " + text


class Blocks:
    """A sparse disk."""

    def __init__(self):
        self.chunks, self.lock = {}, threading.Lock()

    def read(self, offset, n):
        with self.lock:
            out = bytearray()
            while n:
                number, at = divmod(offset, CHUNK)
                part = min(n, CHUNK - at)
                chunk = self.chunks.get(number)
                out += chunk[at:at + part] if chunk else bytes(part)
                offset, n = offset + part, n - part
            return bytes(out)

    def write(self, offset, data):
        data = memoryview(data)  # whose parts are no copies
        with self.lock:
            while data:
                number, at = divmod(offset, CHUNK)
                part = min(len(data), CHUNK - at)
                chunk = self.chunks.setdefault(number, bytearray(CHUNK))
                chunk[at:at + part] = data[:part]
                offset, data = offset + part, data[part:]


def extent(cdb):
    """(first block, blocks) of a command on blocks."""
    if cdb[0] >> 5 in (1, 2):
        return struct.unpack(">I", cdb[2:6])[0], struct.unpack(">H", cdb[7:9])[0]
    return struct.unpack(">QI", cdb[2:14])


class Unit:
    """name: what its names are made of, so that two units of one name are the same unit.

    pages: VPD pages by number, where they differ from the usual: bytes behind the header, or an Answer.
    """

    def __init__(self, lun=0, name="A", blocks=65536, block_bytes=512, designators=None, serial=None, is_thin=False):
        self.address, self.name = address(lun), name
        self.blocks, self.block_bytes, self.is_thin = blocks, block_bytes, is_thin
        self.serial = ("S" + name).encode() if serial is None else serial
        self.designators = [naa(name.encode())] if designators is None else designators
        self.pages, self.is_write_protected, self.has_write_cache = {}, False, False
        self.disk = Blocks()

    @property
    def size(self):
        return self.blocks * self.block_bytes

    # -- who it is -------------------------------------------------------------------------------------------------------

    def page(self, number):
        """Its bytes behind the header, or None."""
        granularity = 8 if self.is_thin else 0
        usual = {
            PAGES: bytes([PAGES, SERIAL, DESIGNATORS, LIMITS, CHARACTERISTICS, PROVISIONING]),
            SERIAL: self.serial,
            DESIGNATORS: b"".join(self.designators),
            LIMITS: struct.pack(">BBHIIIIIII", 0, 0, 8, 2048, 256, 0, 8192 * self.is_thin, 32 * self.is_thin, granularity,
                                0) + bytes(28),
            CHARACTERISTICS: bytes(60),
            PROVISIONING: bytes([0, 0xe0 if self.is_thin else 0, 2 if self.is_thin else 0, 0]),
        }
        return self.pages.get(number, usual.get(number))

    def inquiry(self, cdb):
        if not cdb[1] & 1:
            return Answer(data=bytes([0, 0, 6, 2, 31, 0, 0, 2]) + b"EXAMPLE " + b"Field".ljust(16) + b"0001")
        content = self.page(cdb[2])
        if isinstance(content, Answer):
            return content
        if content is None:
            return BAD_FIELD
        return Answer(data=bytes([0, cdb[2]]) + struct.pack(">H", len(content)) + content)

    # -- what it does ----------------------------------------------------------------------------------------------------

    def capacity(self, cdb):
        if cdb[0] == READ_CAPACITY_10:
            return Answer(data=struct.pack(">II", self.blocks - 1, self.block_bytes))
        if cdb[1] & 31 != 0x10:
            return BAD_FIELD
        return Answer(data=struct.pack(">QI", self.blocks - 1, self.block_bytes) + bytes(2) +
                      bytes([0xc0 if self.is_thin else 0, 0]) + bytes(16))

    def on_blocks(self, cdb, data):
        first, count = extent(cdb)
        if first + count > self.blocks:
            return OUT_OF_RANGE
        if cdb[0] in READS:
            return Answer(data=self.disk.read(first * self.block_bytes, count * self.block_bytes))
        if self.is_write_protected:
            return check(7, 0x27)
        self.disk.write(first * self.block_bytes, bytes(data) if cdb[0] in WRITES else bytes(count * self.block_bytes))
        return Answer()

    def unmap(self, data):
        """What is unmapped reads as zeros: READ CAPACITY (16) says so."""
        for first, count in (struct.unpack(">QI", data[at:at + 12]) for at in range(8, len(data), 16)):
            if first + count > self.blocks:
                return OUT_OF_RANGE
            self.disk.write(first * self.block_bytes, bytes(count * self.block_bytes))
        return Answer()

    def mode(self, opcode):
        protection = 0x80 if self.is_write_protected else 0
        caching = bytes([8, 18, 4]) + bytes(17) if self.has_write_cache else b""
        n = len(caching)
        head = [3 + n, 0, protection, 0] if opcode == MODE_SENSE_6 else [0, 6 + n, 0, protection, 0, 0, 0, 0]
        return Answer(data=bytes(head) + caching)

    def execute(self, cdb, data):
        opcode = cdb[0]
        if opcode == INQUIRY:
            return self.inquiry(cdb)
        if opcode in (READ_CAPACITY_10, SERVICE_ACTION_IN_16):
            return self.capacity(cdb)
        if opcode in READS + WRITES + (WRITE_SAME_16,):
            return self.on_blocks(cdb, data)
        if opcode in (MODE_SENSE_6, MODE_SENSE_10):
            return self.mode(opcode)
        if opcode == UNMAP and self.is_thin:
            return self.unmap(bytes(data))
        if opcode in (TEST_UNIT_READY, START_STOP_UNIT) + FLUSHES:
            return Answer()
        if opcode == REQUEST_SENSE:
            return Answer(data=sense(0, 0))
        return BAD_OPCODE


def nobody(cdb):
    """What answers for a LUN that is not there, SPC-4, section 6.6.2: peripheral qualifier 3."""
    if cdb[0] == INQUIRY:
        return Answer(data=bytes([0x7f, 0, 6, 2, 31, 0, 0, 0]) + b"EXAMPLE " + b"none".ljust(16) + b"0001")
    return NOT_SUPPORTED


def lun_list(addresses):
    listed = b"".join(addresses)
    return Answer(data=struct.pack(">II", len(listed), 0) + listed)
