# name: bigints
# result: many bigint
select {<bigint>'-123456789012345678901234567890', <bigint>0}
