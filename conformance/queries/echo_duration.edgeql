# name: echo_duration
# args: v duration
# result: one duration
select <duration>$0
