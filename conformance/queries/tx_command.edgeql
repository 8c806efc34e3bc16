# name: tx_command
# result: none
start transaction
