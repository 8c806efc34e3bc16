# name: temp_create
# result: none
# none: EdgeDB keeps no session state that a text could change
