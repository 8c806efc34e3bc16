# name: fails_midway
# args: n int64
# result: many int64
# unproven: a division by zero after many rows was not recorded
for i in range_unpack(range(0, <int64>$0)) union (1 // (500 - i))
