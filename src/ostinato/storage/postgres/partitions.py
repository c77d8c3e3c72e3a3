from zlib import crc32

PARTITIONS = 64


def partition_of(run_id: str) -> int:
    return crc32(run_id.encode()) % PARTITIONS
