# name: nothing
# result: optional int64
select <int64>{}
