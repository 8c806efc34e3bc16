# name: delete_account
# args: name str
# result: none
delete Account filter .name = <str>$0
