# name: objects
# args: n int64
# result: many {i: int64, s: str}
for i in range_unpack(range(0, <int64>$0)) union ({ i := i, s := <str>i })
