# name: mixed_args
# args: 0 str, name str
# result: one str
select <str>$0 ++ <str>$name
