# name: int32s
# result: many int32
select {<int32>-2147483648, <int32>2147483647}
