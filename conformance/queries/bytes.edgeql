# name: bytes
# result: one bytes
select b'\x00\x01\xff'
