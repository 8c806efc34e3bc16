# name: echo_local_time
# args: v local_time
# result: one local_time
select <cal::local_time>$0
