# name: echo_ints
# args: v array<int64>
# result: one array<int64>
select <array<int64>>$0
