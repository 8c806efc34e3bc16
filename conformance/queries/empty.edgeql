# name: empty
# result: none
delete Transfer; delete Account;
