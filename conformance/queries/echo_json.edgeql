# name: echo_json
# args: v json
# result: one json
select <json>$0
